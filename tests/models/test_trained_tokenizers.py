"""Tokenizers that are trained on the spot: what they are, where they are kept, and what can't be trained."""

import hashlib
import json
import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from hfdemo.errors import DemoError, ModelError
from hfdemo.models import trained_tokenizers
from hfdemo.models.cache import ModelCache
from hfdemo.models.processors import load_tokenizer
from hfdemo.models.reference import BUILT_IN_TOKENIZERS, ModelRef
from hfdemo.models.tokenizer_training import ALGORITHMS, train_from_old, train_on_lines, train_tokenizer
from hfdemo.models.trained_tokenizers import (
    HARBOUR,
    retrain_from_file,
    train_from_file,
    trained_folder,
    trained_names,
)
from hfdemo.ownership import claim_folder
from hfdemo.settings import Settings
from tests import forked
from tests.conftest import ROOT

TEXT = "The loaders reload what the unloaders unloaded.\nLoading, unloading, reloading: the workload of a port.\n" * 9


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "port.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


def built_in(models: ModelCache, name: str) -> Any:
    return load_tokenizer(ModelRef.parse(f"tokenizer:{name}"), models.settings)


def tokens(tokenizer: Any, *texts: str) -> list[str]:
    return tokenizer.convert_ids_to_tokens(tokenizer(*texts)["input_ids"])


def test_wordpiece_is_made_like_berts(models: ModelCache) -> None:
    tokenizer = built_in(models, "wordpiece")
    assert tokens(tokenizer, "Reloading Åse", "boats") == [
        *("[CLS]", "re", "##load", "##ing", "as", "##e", "[SEP]", "boats", "[SEP]")
    ]
    assert tokenizer("a", "b")["token_type_ids"] == [0, 0, 0, 1, 1]
    assert tokenizer.all_special_tokens == ["[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"]
    assert (tokenizer.pad_token_id, tokenizer.model_max_length, len(tokenizer)) == (0, 512, 600)
    assert tokenizer("🚢")["input_ids"][1] == tokenizer.unk_token_id
    # What keeps the training in order was named a special token there, and is none here.
    assert tokenizer.decode(tokenizer("Reloading")["input_ids"], skip_special_tokens=True) == "reloading"


def test_bpe_is_made_like_gpt2s_and_has_no_padding_token(models: ModelCache) -> None:
    tokenizer = built_in(models, "bpe")
    text = "Reloading Åse's  boat 🚢\n\0"
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    assert tokens(tokenizer, "port port") == ["por", "t", "Ġport"]
    assert tokenizer.all_special_tokens == ["<|endoftext|>"]
    assert (tokenizer.pad_token, tokenizer.model_max_length, len(tokenizer)) == (None, 1024, 600)
    with pytest.raises(ValueError, match="padding token"):
        tokenizer(["a", "a b c"], padding=True)


def test_unigram_is_made_like_t5s_and_knows_no_longest_text(models: ModelCache) -> None:
    tokenizer = built_in(models, "unigram")
    assert tokens(tokenizer, "the\tloader", "port") == ["▁the", "▁load", "er", "</s>", "▁port", "</s>"]
    assert list(tokenizer("a")) == ["input_ids", "attention_mask"]
    assert tokenizer.convert_ids_to_tokens([0, 1, 2]) == ["<pad>", "</s>", "<unk>"]
    assert tokenizer("🚢")["input_ids"] == [tokenizer.convert_tokens_to_ids("▁"), tokenizer.unk_token_id, 1]
    assert tokenizer.model_max_length > 1e29
    assert len(tokenizer) == 600


def test_bytes_is_the_kind_that_is_written_in_python_only(models: ModelCache) -> None:
    tokenizer = built_in(models, "bytes")
    assert type(tokenizer).__name__ == "ByT5Tokenizer"
    assert not tokenizer.is_fast
    assert tokenizer("Å")["input_ids"] == [*(byte + 3 for byte in "Å".encode()), tokenizer.eos_token_id]


@pytest.mark.parametrize("name", BUILT_IN_TOKENIZERS)
def test_a_built_in_one_is_made_once(settings: Settings, name: str) -> None:
    ref = ModelRef.parse(f"tokenizer:{name}")
    folder = trained_folder(ref, settings)
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert trained_folder(ref, settings) == folder
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    assert folder.is_relative_to(settings.home / "tokenizers")


def test_another_recipe_or_another_text_makes_another_folder(
    settings: Settings, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = ModelRef("tokenizer", "bpe")
    folders = {trained_folder(ref, settings)}
    monkeypatch.setattr(trained_tokenizers, "_RECIPE", -1)
    folders.add(trained_folder(ref, settings))
    monkeypatch.setattr(trained_tokenizers, "HARBOUR", file)
    folders.add(trained_folder(ref, settings))
    assert len(folders) == 3


@pytest.mark.parametrize("name", ["embedded:minilm", "tokenizer:bpe", "tokenizer:unigram"])
def test_one_like_an_old_one_is_the_same_in_each_training(settings: Settings, name: str) -> None:
    """Each training has hash maps of its own, whose order may show."""
    old = load_tokenizer(ModelRef.parse(name), settings)
    lines = ["abc bca cab xyz zyx yxz aab bba abab baba é è ê"] * 20
    made = {train_from_old(old, lines, 300, 10**6).backend_tokenizer.to_str() for _ in range(8)}
    assert len(made) == 1


def test_one_like_an_old_one_differs_in_its_vocabulary_alone(settings: Settings) -> None:
    for name in ("embedded:minilm", "tokenizer:bpe", "tokenizer:unigram"):
        old = load_tokenizer(ModelRef.parse(name), settings)
        new = load_tokenizer(retrain_from_file(HARBOUR, old, 500, settings), settings)
        assert len(new) <= 500
        parts, others = (json.loads(each.backend_tokenizer.to_str()) for each in (old, new))
        assert {key for key in parts if parts[key] != others[key]} <= {"model", "added_tokens", "post_processor"}
        assert (new.special_tokens_map, new.model_max_length) == (old.special_tokens_map, old.model_max_length)
        special = [new.convert_ids_to_tokens(id) for id in new("a", "b")["input_ids"]]
        assert special[0] == old.convert_ids_to_tokens(old("a", "b")["input_ids"][0]) or name != "embedded:minilm"
        assert new.decode(new("the harbour", add_special_tokens=False)["input_ids"]).strip() == "the harbour"


def test_old_ones_that_differ_in_their_config_alone_make_two(settings: Settings) -> None:
    first, second, third = (load_tokenizer(ModelRef.parse("tokenizer:bpe"), settings) for _ in range(3))
    second.chat_template = "{{ messages }}"
    names = [str(retrain_from_file(HARBOUR, each, 500, settings)) for each in (first, second, third)]
    assert names[0] == names[2] != names[1]


def test_what_can_not_be_trained_anew_is_refused_before_the_file_is_read(settings: Settings, tmp_path: Path) -> None:
    python_only, bpe = (load_tokenizer(ModelRef.parse(f"tokenizer:{name}"), settings) for name in ("bytes", "bpe"))
    with pytest.raises(DemoError, match="written in Python only"):
        retrain_from_file(tmp_path / "none.txt", python_only, 500, settings)
    with pytest.raises(DemoError, match="vocabulary size is 5,"):
        retrain_from_file(tmp_path / "none.txt", bpe, 5, settings)
    with pytest.raises(DemoError, match="leaves nothing to learn"):
        retrain_from_file(HARBOUR, bpe, 60, settings)


@pytest.mark.slow
def test_the_same_text_gives_the_same_tokenizer_in_every_process() -> None:
    code = (
        "import hashlib\n"
        "from hfdemo.models.tokenizer_training import ALGORITHMS, train_tokenizer\n"
        "from hfdemo.models.trained_tokenizers import HARBOUR\n"
        "lines = HARBOUR.read_text(encoding='utf-8').splitlines()\n"
        "for algorithm in ALGORITHMS:\n"
        "    text = train_tokenizer(algorithm, lines, 500).backend_tokenizer.to_str()\n"
        "    print(hashlib.sha256(text.encode()).hexdigest())\n"
    )
    lines = HARBOUR.read_text(encoding="utf-8").splitlines()
    here = [train_tokenizer(algorithm, lines, 500).backend_tokenizer.to_str() for algorithm in ALGORITHMS]
    again = forked.run(["-c", code], cwd=ROOT)
    assert again.stdout.split() == [hashlib.sha256(text.encode()).hexdigest() for text in here]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_order_of_training_shows_nowhere_however_many_ties_there_are(algorithm: str) -> None:
    lines = ["abc bca cab xyz zyx yxz aab bba abab baba é è ê"] * 20
    made = {train_tokenizer(algorithm, lines, 300).backend_tokenizer.to_str() for _ in range(8)}
    assert len(made) == 1


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_file_is_trained_from_once_and_gets_a_name_that_can_be_used(
    settings: Settings, file: Path, algorithm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = train_from_file(file, algorithm, 300, settings)
    assert ModelRef.parse(str(ref)) == ref
    with ModelCache(settings).hold_tokenizer(ref) as tokenizer:
        assert len(tokenizer) <= 300
        assert len(tokens(tokenizer, "unloading")) < len("unloading")
    other = train_from_file(file, algorithm, 301, settings)
    assert trained_names(settings) == [other.name, ref.name]
    monkeypatch.setattr(trained_tokenizers, "train_on_lines", None)  # would fail if it were asked
    copy = file.with_name("copy.txt")
    copy.write_bytes(file.read_bytes())
    assert train_from_file(copy, algorithm, 300, settings) == ref
    assert trained_names(settings) == [ref.name, other.name]


def test_what_is_not_kept_here_says_how_to_have_it_again(settings: Settings) -> None:
    with pytest.raises(ModelError, match=r"no tokenizer:bpe-0123456789ab here.*Train it again.*tokenizer:bytes\.$"):
        trained_folder(ModelRef.parse("tokenizer:bpe-0123456789ab"), settings)


@pytest.mark.slow
def test_threads_that_ask_at_once_all_get_a_whole_one(settings: Settings) -> None:
    def ask(name: str) -> int:
        folder = trained_folder(ModelRef("tokenizer", name), settings)
        return len(json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"])

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, list(ALGORITHMS) * 5)) == [600] * 15
    assert len(list((settings.home / "tokenizers").iterdir())) == 3  # and nothing is left lying about


def test_a_public_server_keeps_the_newest_and_never_loses_the_built_in_ones(tmp_path: Path, file: Path) -> None:
    public = Settings(home=tmp_path / "home", public=True, kept_tokenizers=2)
    folders = [trained_folder(ModelRef("tokenizer", name), public) for name in BUILT_IN_TOKENIZERS]
    refs = [train_from_file(file, "bpe", size, public) for size in (300, 301)]
    train_from_file(file, "bpe", 300, public)  # asked for again, so the other one is the oldest now
    last = train_from_file(file, "bpe", 302, public)
    assert trained_names(public) == [last.name, refs[0].name]
    assert all(folder.is_dir() for folder in folders)
    with pytest.raises(ModelError, match=r"\(any more\)"):
        trained_folder(refs[1], public)


def test_one_visitor_pushes_out_nobody_else_s_and_what_is_left_for_a_day_goes(tmp_path: Path, file: Path) -> None:
    public = Settings(home=tmp_path / "home", public=True, kept_tokenizers=2)
    anna, bob = public.of_owner("anna"), public.of_owner("bob")
    first, second = (train_from_file(file, "bpe", size, anna) for size in (300, 301))
    for size in range(310, 314):
        train_from_file(file, "bpe", size, bob)
    assert trained_names(anna) == [second.name, first.name]
    kept = trained_names(bob)
    assert len(kept) == 2
    with pytest.raises(DemoError, match="leaves nothing to learn"):
        train_from_file(file, "bpe", 200, bob)
    assert trained_names(bob) == kept, "one that can't be trained pushes out nothing"
    yesterday = time.time() - 25 * 3600
    os.utime(public.home / "tokenizers" / first.name, (yesterday, yesterday))
    train_from_file(file, "bpe", 314, bob)
    assert trained_names(anna) == [second.name]


def test_a_tokenizer_that_would_take_more_of_the_disk_than_there_may_be_is_refused(tmp_path: Path, file: Path) -> None:
    public = Settings(home=tmp_path / "home", public=True, visitor_bytes=6 * 1024**2, home_bytes=20 * 1024**2)
    anna, bob = public.of_owner("anna"), public.of_owner("bob")
    folder = public.runs / "of-anna"
    folder.mkdir(parents=True)
    claim_folder(folder, anna)
    (folder / "config.json").write_text("{}")
    (folder / "weights").write_bytes(bytes(3 * 1024**2))
    ref = train_from_file(file, "bpe", 300, bob)
    with pytest.raises(
        DemoError, match=r"3\.0 MB, and it may take 6\.0 MB\. Delete runs .* largest: of-anna \(3\.0 MB\)"
    ):
        train_from_file(file, "bpe", 300, anna)
    (folder / "weights").write_bytes(bytes(17 * 1024**2))
    with pytest.raises(DemoError, match=r"what everybody has made here takes 17 MB, .* 20 MB\. Come back later\.$"):
        train_from_file(file, "bpe", 301, bob)
    assert train_from_file(file, "bpe", 300, bob) == ref, "what is there already takes nothing more"
    shutil.rmtree(folder)
    train_from_file(file, "bpe", 301, bob)


def test_old_encodings_are_read(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "old.txt"
    path.write_bytes("Das Café am Hafen öffnet früh. ".encode("cp1252") * 20)
    with ModelCache(settings).hold_tokenizer(train_from_file(path, "unigram", 100, settings)) as tokenizer:
        assert tokenizer.unk_token_id not in tokenizer("öffnet Café")["input_ids"]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_one_endless_word_is_no_problem(settings: Settings, tmp_path: Path, algorithm: str) -> None:
    path = tmp_path / "blob.txt"
    path.write_text("".join(hashlib.sha256(bytes([number])).hexdigest() for number in range(256)))
    ref = train_from_file(path, algorithm, 300, settings)
    assert 0 < len(load_tokenizer(ref, settings)) <= 300


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b" \n\t\n", "empty"),
        (b"Too short.\n", "has 10 characters, too few"),
        (b"\x89PNG\r\n\x1a\n" + bytes(500), "binary"),
        (TEXT.encode("utf-16"), "binary"),
    ],
)
def test_a_file_to_learn_nothing_from_gets_a_sentence(
    settings: Settings, tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "bad.txt"
    path.write_bytes(content)
    with pytest.raises(DemoError, match=said):
        train_from_file(path, "bpe", 600, settings)
    assert trained_names(settings) == []


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.txt"
    with path.open("wb") as large:
        large.truncate(6 * 1024**2)
    with pytest.raises(DemoError, match=r"6\.0 MB.*at most 5 MB"):
        train_from_file(path, "bpe", 600, Settings(home=tmp_path, public=True))
    with pytest.raises(DemoError, match=r"no file 'gone\.txt'"):
        train_from_file(tmp_path / "gone.txt", "bpe", 600, Settings(home=tmp_path))


def test_unigram_refuses_what_it_would_take_minutes_for_and_names_what_is_faster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: Path
) -> None:
    monkeypatch.setattr(trained_tokenizers, "MOST_DISTINCT_PUBLIC", 50)
    public = Settings(home=tmp_path / "home", public=True)
    with pytest.raises(DemoError, match=r"more than 50\. Cut the file, or take bpe"):
        train_from_file(file, "unigram", 300, public)
    train_from_file(file, "bpe", 300, public)


@pytest.mark.parametrize("vocabulary", [49, 30_001, -1, 600.0, "600", True, None])
def test_a_vocabulary_out_of_range_gets_a_sentence(vocabulary: Any) -> None:
    with pytest.raises(DemoError, match="from 50 to 30,000"):
        train_tokenizer("bpe", [TEXT], vocabulary)


@pytest.mark.parametrize(
    ("algorithm", "vocabulary", "said"),
    [
        ("bpe", 257, "the 256 bytes take 257"),
        ("wordpiece", 50, "letters take 78"),
        ("unigram", 50, "characters take 69"),
    ],
)
def test_a_vocabulary_that_the_letters_alone_fill_gets_a_sentence(algorithm: str, vocabulary: int, said: str) -> None:
    lines = HARBOUR.read_text(encoding="utf-8").splitlines()
    with pytest.raises(DemoError, match=said):
        train_tokenizer(algorithm, lines, vocabulary)


def test_an_unknown_algorithm_gets_a_sentence(settings: Settings, file: Path) -> None:
    with pytest.raises(DemoError, match=r"no algorithm '\.\./bpe' .* wordpiece, bpe, unigram"):
        train_from_file(file, "../bpe", 600, settings)


def test_what_the_library_can_not_read_gets_a_sentence() -> None:
    with pytest.raises(ModelError, match="No tokenizer can be trained from this text"):
        train_tokenizer("bpe", ["half of an emoji: \ud83d " * 20], 600)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_too_many_different_words_are_refused_whatever_the_algorithm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, algorithm: str
) -> None:
    monkeypatch.setattr(trained_tokenizers, "MOST_DISTINCT_PUBLIC", 500)
    path = tmp_path / "distinct.txt"
    path.write_text("\n".join(f"word{number:04}" for number in range(600)), encoding="utf-8")
    home = tmp_path / "home"
    with pytest.raises(DemoError, match=rf"{algorithm} would take too long for more than [\d,]+00\. Cut the file"):
        train_from_file(path, algorithm, 1000, Settings(home=home, public=True))
    assert train_from_file(path, algorithm, 1000, Settings(home=home)).source == "tokenizer", "on one's own machine"


def test_only_one_tokenizer_is_trained_at_a_time_and_the_same_one_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: Path
) -> None:
    settings, train, going_on, seen = Settings(home=tmp_path / "home"), train_on_lines, [], []

    def counted(*arguments: Any) -> Any:
        going_on.append(1)
        seen.append(len(going_on))
        try:
            return train(*arguments)
        finally:
            going_on.pop()

    monkeypatch.setattr(trained_tokenizers, "train_on_lines", counted)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda size: train_from_file(file, "bpe", size, settings), [300, 301, 302] * 2))
    assert seen == [1, 1, 1]
