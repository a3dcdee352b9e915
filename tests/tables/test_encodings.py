"""The encoding of a file is found out, said with how sure that is, and can be asked for."""

import unicodedata
from pathlib import Path

import pytest

from hfdemo.errors import DataError
from hfdemo.tables import ReadOptions, check_encoding, decode_bytes, read_csv
from tests.finetuning.dataset.test_preparing import write

# Two reviews and two labels of each language, as small as data sets are that people begin with.
REVIEWS = {
    "Russian": ("этот фильм очень понравился мне", "скучный и длинный сюжет без смысла", "плохо", "хорошо"),
    "Ukrainian": ("цей фільм дуже сподобався їй і її друзям", "нудний і довгий сюжет", "погано", "добре"),
    "Chinese": ("这部电影非常好看", "剧情太无聊了，不推荐", "坏", "好"),
    "Chinese of Taiwan": ("這部電影非常好看", "劇情太無聊了，不推薦", "壞", "好"),
    "Japanese": ("この映画はとても良かった", "話が長くて退屈でした。", "悪い", "良い"),
    "Korean": ("이 영화는 정말 재미있었다", "줄거리가 너무 지루했다", "나쁨", "좋음"),
    "German": ("der Film war für mich sehr schön", "langweilig und überflüssig", "schlecht", "schön"),
    "French": ("ce film m'a beaucoup plu, très émouvant", "l'histoire était ennuyeuse", "négatif", "positif"),
    "Polish": ("ten film bardzo mi się podobał, świetna gra", "nudna i długa historia", "zły", "dobry"),
    "Czech": ("tento film se mi velmi líbil, skvělý příběh", "nudný a příliš dlouhý děj", "špatný", "dobrý"),
    "Hungarian": ("ez a film nagyon tetszett nekem, gyönyörű", "unalmas és hosszú történet", "rossz", "jó"),
    "Turkish": ("bu film çok güzeldi, oyuncular şahane", "sıkıcı ve uzun bir hikâye", "kötü", "iyi"),
    "Greek": ("αυτή η ταινία μου άρεσε πολύ", "βαρετή και μεγάλη ιστορία", "κακό", "καλό"),
    "Hebrew": ("הסרט הזה מצא חן בעיניי מאוד", "סיפור משעמם וארוך מדי", "רע", "טוב"),
    "Arabic": ("هذا الفيلم أعجبني كثيرا", "قصة مملة وطويلة جدا", "سيئ", "جيد"),
    "Thai": ("หนังเรื่องนี้สนุกมากและน่าประทับใจ", "เรื่องยาวและน่าเบื่อมาก", "แย่", "ดี"),
    "Lithuanian": ("šis filmas man labai patiko, žiūrėčiau dar", "nuobodi ir ilga istorija", "blogas", "geras"),
}
CODE_PAGES = [
    *(("Russian", codec) for codec in ("cp1251", "koi8-r", "cp866", "iso8859-5")),
    *(("Ukrainian", codec) for codec in ("cp1251", "koi8-u")),
    *(("Chinese", codec) for codec in ("gbk", "gb18030")),
    *(("Chinese of Taiwan", "big5"), ("Korean", "euc_kr"), ("Korean", "cp949")),
    *(("Japanese", codec) for codec in ("shift_jis", "euc_jp", "iso2022_jp")),
    *(("German", codec) for codec in ("cp1252", "latin-1", "cp850", "mac_roman")),
    *(("French", codec) for codec in ("cp1252", "iso8859-15", "mac_roman")),
    *((language, codec) for language in ("Polish", "Czech", "Hungarian") for codec in ("cp1250", "iso8859-2")),
    *(("Turkish", "cp1254"), ("Greek", "cp1253"), ("Greek", "iso8859-7"), ("Hebrew", "cp1255")),
    *(("Arabic", "cp1256"), ("Thai", "tis_620"), ("Lithuanian", "cp1257")),
]


def make_csv(language: str, rows: int = 8) -> str:
    *texts, bad, good = REVIEWS[language]
    return "text,label\n" + "".join(f'"{texts[n % 2]} {n}",{(good, bad)[n % 2]}\n' for n in range(rows))


@pytest.mark.parametrize(("language", "codec"), CODE_PAGES)
def test_small_files_in_the_code_pages_of_the_world_are_read_as_they_were_written(language: str, codec: str) -> None:
    for rows in (3, 40):
        text = make_csv(language, rows)
        found = decode_bytes(text.encode(codec), "a.csv")
        assert found is not None
        assert found.text == text, found.encoding
        again = decode_bytes(text.encode(codec), "a.csv", found.encoding)
        assert again is not None
        assert again.text == text, "what is recorded reads so again"


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
@pytest.mark.parametrize("language", ["Russian", "Chinese", "German", "Arabic"])
def test_unicode_is_read_with_a_mark_and_without(language: str, codec: str) -> None:
    found = decode_bytes(make_csv(language).encode(codec), "a.csv")
    assert found is not None
    assert found.text.removeprefix("\ufeff") == make_csv(language)
    assert found.encoding.lower().startswith(codec.removesuffix("-sig"))
    assert not found.doubts


def test_a_mark_is_believed_and_what_has_none_is_said_with_how_sure_it_is() -> None:
    russian = make_csv("Russian")
    said = [decode_bytes(russian.encode(codec), "a.csv") for codec in ("utf-8", "utf-16", "utf-16-le", "cp1251")]
    assert [each.said for each in said if each] == [
        "UTF-8",
        "UTF-16",
        "UTF-16-LE (likely)",
        "Windows-1251 (likely)",
    ]


def test_where_two_encodings_are_as_likely_two_lines_of_both_are_shown_and_the_other_is_one_click_away() -> None:
    raw = make_csv("Russian").encode("mac_cyrillic")
    found = decode_bytes(raw, "a.csv")
    assert found is not None
    assert found.said == "MacCyrillic (a guess)"
    (doubt,) = found.doubts
    assert (doubt.code, doubt.change) == ("encoding", {"encoding": "Windows-1251"})
    for codec in ("mac_cyrillic", "cp1251"):
        shown = [line[:30] for line in raw.decode(codec).splitlines()[1:3]]
        assert all(line in doubt.problem for line in shown)
    other = decode_bytes(raw, "a.csv", "Windows-1251")
    assert other is not None
    assert not other.doubts, "what is asked for is no guess"


@pytest.mark.parametrize("text", ["It’s “good” – really…", "5 € off, costs £5", "naïve café", "Preis 5°", "fiancée"])
def test_a_few_signs_in_english_are_those_of_windows_1252(text: str) -> None:
    found = decode_bytes(f"text,label\n{text},a\nplain,b\n".encode("cp1252"), "a.csv")
    assert found is not None
    assert text in found.text
    assert not found.doubts


def test_an_encoding_that_is_asked_for_is_gone_by_and_one_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "text,label\nplné,a\n".encode("cp1250"))
    for name in ("cp1250", "windows-1250", "CP1250"):
        sheet = read_csv(path, options=ReadOptions(name))
        assert sheet.table["text"].tolist() == ["plné"]
        assert f"{name}, as asked for" in sheet.reading
    with pytest.raises(DataError, match="is not in the encoding utf-16"):
        read_csv(write(tmp_path, b"text,label\nabc,\xff\n"), options=ReadOptions("utf-16"))


@pytest.mark.parametrize("name", ["nonsense", "rot13", "base64", "idna", "punycode", "unicode_escape", "", "a\0b", "é"])
def test_what_is_no_encoding_of_text_files_gets_a_sentence(name: str) -> None:
    with pytest.raises(DataError, match="There is no encoding"):
        check_encoding(name)


def test_a_lone_half_of_a_character_costs_its_row(tmp_path: Path) -> None:
    sheet = read_csv(
        write(tmp_path, "\ufefftext,label\nfine,a\n\ud800,b\nalso,c\n".encode("utf-16-le", "surrogatepass"))
    )
    assert sheet.table["text"].tolist() == ["fine", "also"]
    assert [row.lines for row in sheet.refused] == ["line 3"]


def test_a_single_strange_byte_in_a_large_file_does_not_make_it_another_encoding(tmp_path: Path) -> None:
    rows = "".join(f"größer {n},a\n" for n in range(300)).encode()
    sheet = read_csv(write(tmp_path, b"text,label\n" + rows + b"caf\xe9,b\n"))
    assert sheet.reading.startswith("UTF-8,")
    assert (len(sheet.table), [row.lines for row in sheet.refused]) == (300, ["line 302"])


def test_vietnamese_is_read_in_its_own_code_page() -> None:
    text = unicodedata.normalize("NFD", "text,label\n" + "bộ phim này rất hay,hay\nchuyện dài và chán,dở\n" * 5)
    raw = text.encode("cp1258", "replace")
    found = decode_bytes(raw, "a.csv")
    assert found is not None
    assert found.text == raw.decode("cp1258")
