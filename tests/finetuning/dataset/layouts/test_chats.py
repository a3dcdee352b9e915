"""Chats and instructions are read from every form that people keep them in, row by row, and nothing else is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from hfdemo.data_sources import Corpus, read_corpus
from hfdemo.errors import DataError
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.dataset import inspect, prepare
from hfdemo.finetuning.dataset.layouts import arrange_corpus
from hfdemo.finetuning.dataset.layouts.chats import CHATS
from hfdemo.finetuning.kinds.chats import parse_messages
from hfdemo.settings import Settings
from hfdemo.tables import format_cell

ROWS = 12
Row = Mapping[str, Any]
Said = list[tuple[str, str]]


def corpus(rows: Sequence[Row]) -> Corpus:
    """The rows as a reader of files makes texts of them."""
    columns = dict.fromkeys(column for row in rows for column in row)
    cells = {column: [format_cell(row.get(column)) for row in rows] for column in columns}
    return Corpus({"": pd.DataFrame(cells, dtype=str)})


def arranged(rows: Sequence[Row], asked: str | None = None) -> Corpus:
    return arrange_corpus(corpus(rows), asked)


def chats(found: Corpus) -> list[list[dict[str, Any]]]:
    table = found.tables[""]
    column = "messages" if "messages" in table else next(c for c in table if table[c].iloc[0].startswith("[{"))
    return [json.loads(cell) for cell in table[column]]


def said(messages: Sequence[Mapping[str, Any]]) -> Said:
    return [(each["role"], each["content"]) for each in messages]


def learned(messages: Sequence[Mapping[str, Any]]) -> list[str]:
    return [each["content"] for each in messages if each["role"] == "assistant" and each.get("weight") != 0]


def turn(who: str, text: Any, role: str = "role", content: str = "content") -> dict[str, Any]:
    return {role: who, content: text}


ASK, SAY = "what is {} + {}?", "it is {}"
ONE: Said = [("user", "what is 3 + 3?"), ("assistant", "it is 6")]


def ask(number: int) -> str:
    return ASK.format(number, number)


def say(number: int) -> str:
    return SAY.format(2 * number)


def share(human: str, gpt: str, n: int) -> list[dict[str, Any]]:
    return [turn(human, ask(n), "from", "value"), turn(gpt, say(n), "from", "value")]


def openai(n: int) -> list[dict[str, Any]]:
    return [turn("user", ask(n)), turn("assistant", say(n))]


# name of the layout, what a row has besides, and what is said in row 3
FORMS: dict[str, tuple[str, Any, Said]] = {
    "messages": ("messages", lambda n: {"messages": openai(n)}, ONE),
    "messages under another name": ("messages", lambda n: {"id": n, "conversations": openai(n)}, ONE),
    "messages with parts": (
        "messages",
        lambda n: {"messages": [turn("user", [{"type": "text", "text": ask(n)}]), turn("assistant", say(n))]},
        ONE,
    ),
    "messages as columns": (
        "messages",
        lambda n: {"messages": {"role": ["user", "assistant"], "content": [ask(n), say(n)]}},
        ONE,
    ),
    "messages as Python prints them": ("messages", lambda n: {"messages": str(openai(n))}, ONE),
    "messages as numpy prints them": (
        "messages",
        lambda n: {"messages": f"[{openai(n)[0]}\n {openai(n)[1]}]"},
        ONE,
    ),
    "messages of a model": (
        "messages",
        lambda n: {"contents": [turn("user", ask(n)), turn("model", say(n))]},
        ONE,
    ),
    "messages and a system column": (
        "messages",
        lambda n: {"system": "add", "messages": openai(n)},
        [("system", "add"), *ONE],
    ),
    "share_gpt": ("share_gpt", lambda n: {"id": n, "conversations": share("human", "gpt", n)}, ONE),
    "share_gpt as text": ("share_gpt", lambda n: {"conversation": json.dumps(share("user", "bot", n))}, ONE),
    "share_gpt, chatgpt": ("share_gpt", lambda n: {"dialog": share("human", "chatgpt", n)}, ONE),
    "share_gpt, bing": ("share_gpt", lambda n: {"dialogue": share("user", "bing", n)}, ONE),
    "share_gpt with a system column": (
        "share_gpt",
        lambda n: {"system": "add", "conversations": share("human", "gpt", n), "tools": ""},
        [("system", "add"), *ONE],
    ),
    "share_gpt with a system turn": (
        "share_gpt",
        lambda n: {"conversations": [turn("system", "add", "from", "value"), *share("human", "gpt", n)]},
        [("system", "add"), *ONE],
    ),
    "share_gpt with tools": (
        "share_gpt",
        lambda n: {
            "conversations": [
                turn("human", ask(n), "from", "value"),
                turn("function_call", f"add({n})", "from", "value"),
                turn("observation", str(2 * n), "from", "value"),
                turn("gpt", say(n), "from", "value"),
            ]
        },
        [ONE[0], ("assistant", "add(3)"), ("tool", "6"), ONE[1]],
    ),
    "speakers": (
        "share_gpt",
        lambda n: {"talk": [turn("User", ask(n), "speaker", "text"), turn("Assistant", say(n), "speaker", "text")]},
        ONE,
    ),
    "exchanges": ("share_gpt", lambda n: {"conversation": [{"human": ask(n), "assistant": say(n)}]}, ONE),
    "pairs": ("share_gpt", lambda n: {"conversations": [[ask(n), say(n)]]}, ONE),
    "texts in turn": ("share_gpt", lambda n: {"id": n, "data": [ask(n), say(n)]}, ONE),
    "alpaca": ("instructions", lambda n: {"instruction": ask(n), "input": "", "output": say(n)}, ONE),
    "alpaca with inputs": (
        "instructions",
        lambda n: {"instruction": "add", "input": f"{n}, {n}", "output": say(n)},
        [("user", "add\n\n3, 3"), ONE[1]],
    ),
    "alpaca with its prompt": (
        "instructions",
        lambda n: {"instruction": ask(n), "input": "", "output": say(n), "text": f"Below is ... {ask(n)} {say(n)}"},
        ONE,
    ),
    "alpaca with system and history": (
        "instructions",
        lambda n: {
            "instruction": ask(n), "input": "", "output": say(n), "system": "add", "history": [["hi", f"yes {n}"]]
        },
        [("system", "add"), ("user", "hi"), ("assistant", "yes 3"), *ONE],
    ),
    "dolly": (
        "instructions",
        lambda n: {"instruction": ask(n), "context": "", "response": say(n), "category": ["open_qa", "math"][n % 2]},
        ONE,
    ),
    "prompt and completion": ("prompt_and_answer", lambda n: {"prompt": ask(n), "completion": f" {say(n)}"}, ONE),
    "conversational prompt and completion": (
        "prompt_and_answer",
        lambda n: {"prompt": [turn("user", ask(n))], "completion": [turn("assistant", say(n))]},
        ONE,
    ),
    "question and answer": ("prompt_and_answer", lambda n: {"Question": ask(n), "Answer": say(n)}, ONE),
    "prompt and response": ("prompt_and_answer", lambda n: {"prompt": ask(n), "response": say(n), "model": "m"}, ONE),
    "query and response": ("prompt_and_answer", lambda n: {"query": ask(n), "response": say(n), "type": "x"}, ONE),
    "instruction and response": ("instructions", lambda n: {"instruction": ask(n), "response": say(n)}, ONE),
    "input and output": ("prompt_and_answer", lambda n: {"input": ask(n), "output": say(n)}, ONE),
    "input and target": ("prompt_and_answer", lambda n: {"input": ask(n), "target": say(n)}, ONE),
    "OpenOrca": (
        "prompt_and_answer",
        lambda n: {"id": f"flan.{n}", "system_prompt": "add", "question": ask(n), "response": say(n)},
        [("system", "add"), *ONE],
    ),
    "problem and solution": (
        "prompt_and_answer",
        lambda n: {"problem": ask(n), "level": f"Level {n % 3}", "type": "Algebra", "solution": say(n)},
        ONE,
    ),
    "squad": (
        "question_in_context",
        lambda n: {
            "id": str(n), "title": ["Sums", "Numbers"][n % 2], "context": "Sums.", "question": ask(n),
            "answers": {"text": [say(n), say(n)], "answer_start": [0, 0]},
        },
        [("user", "Sums.\n\nwhat is 3 + 3?"), ONE[1]],
    ),
    "answers in a list": ("prompt_and_answer", lambda n: {"question": ask(n), "answers": [say(n), "so"]}, ONE),
    "preference pairs": (
        "preference_pairs", lambda n: {"prompt": ask(n), "chosen": say(n), "rejected": "no", "score": 0.5}, ONE,
    ),
    "preference pairs of messages": (
        "preference_pairs",
        lambda n: {"chosen": openai(n), "rejected": [turn("user", ask(n)), turn("assistant", "no")]},
        ONE,
    ),
    "preference pairs of a prompt and messages": (
        "preference_pairs",
        lambda n: {"prompt": [turn("user", ask(n))], "chosen": [turn("assistant", say(n))], "rejected": []},
        ONE,
    ),
    "preference pairs beside a conversation": (
        "preference_pairs",
        lambda n: {
            "conversations": [turn("human", ask(n), "from", "value")],
            "chosen": turn("gpt", say(n), "from", "value"),
            "rejected": turn("gpt", "no", "from", "value"),
        },
        ONE,
    ),
    "preference pairs of transcripts": (
        "preference_pairs",
        lambda n: {
            "chosen": f"\n\nHuman: {ask(n)}\n\nAssistant: {say(n)}",
            "rejected": f"\n\nHuman: {ask(n)}\n\nAssistant: no",
        },
        ONE,
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_a_form_is_recognised_and_becomes_messages_that_can_be_trained_on(form: str) -> None:
    layout, row, expected = FORMS[form]
    found = arranged([row(number) for number in range(ROWS)])
    assert found.layout == layout
    assert not found.refused
    assert len(chats(found)) == ROWS
    assert said(chats(found)[3]) == expected
    assert learned(chats(found)[3])[-1] == "it is 6"
    assert inspect(found.tables).kind == "language"
    ready = prepare(RunConfig("x", task="text-generation"), found.tables)
    cells = [cell for part in ready.splits.values() for cell in part["text"]]
    assert len(cells) == ROWS
    assert all(said(parse_messages(cell))[-1][0] == "assistant" for cell in cells)


@pytest.mark.parametrize("form", FORMS)
def test_a_form_is_the_same_as_a_csv_file_and_as_json_lines(settings: Settings, tmp_path: Path, form: str) -> None:
    layout, row, expected = FORMS[form]
    rows = [row(number) for number in range(ROWS)]
    lines = tmp_path / "rows.jsonl"
    lines.write_text("\n".join(json.dumps(each) for each in rows))
    table = tmp_path / "rows.csv"
    corpus(rows).tables[""].to_csv(table, index=False)
    for path in (lines, table):
        found = arrange_corpus(read_corpus(str(path), settings))
        assert (found.layout, said(chats(found)[3])) == (layout, expected)


def rows_of(**columns: Sequence[Any]) -> list[Row]:
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


NUMBERS = range(ROWS)
ASKED, ANSWERED = [ask(n) for n in NUMBERS], [say(n) for n in NUMBERS]
TWO = [["yes", "no"][n % 2] for n in NUMBERS]
NO_CHATS: dict[str, list[Row]] = {
    "a text and its label": rows_of(text=ASKED, label=TWO),
    "a text and its target": rows_of(text=ASKED, target=ANSWERED),
    "Quora": rows_of(question1=ASKED, question2=ANSWERED, is_duplicate=["0", "1"] * 6),
    "QNLI": rows_of(question=ASKED, sentence=ANSWERED, label=["0", "1"] * 6),
    "WikiQA": rows_of(question=ASKED, answer=ANSWERED, label=["0", "1"] * 6),
    "a verdict beside question and answer": rows_of(question=ASKED, answer=ANSWERED, verdict=TWO),
    "classes beside question and answer": rows_of(question=ASKED, answer=ANSWERED, topic=["a", "b", "c"] * 4),
    "a class of another name": rows_of(question=ASKED, answer=ANSWERED, kind_of_fault=TWO),
    "BoolQ": rows_of(question=ASKED, passage=ANSWERED, answer=["true", "false"] * 6),
    "questions with one of two answers": rows_of(question=ASKED, answer=TWO),
    "a rating of a response": rows_of(prompt=ASKED, response=ANSWERED, helpfulness=[str(n % 5) for n in NUMBERS]),
    "unpaired preferences": rows_of(prompt=ASKED, completion=ANSWERED, label=["true", "false"] * 6),
    "safety of a response": rows_of(prompt=ASKED, response=ANSWERED, is_safe=["True", "False"] * 6),
    "texts and their summaries": rows_of(dialogue=["A: hi\nB: ho"] * 12, summary=ANSWERED),
    "words and tags": rows_of(tokens=[["a", "b"]] * 12, tags=[["O", "B-X"]] * 12),
    "spans": rows_of(text=ASKED, entities=[[{"start": 0, "end": 4, "label": "Q"}]] * 12),
    "people who are no assistant": rows_of(
        conversation=[[turn("Ann", "hi", "speaker", "text"), turn("Ben", "ho", "speaker", "text")]] * 12
    ),
    "a text alone": rows_of(text=ASKED),
}


@pytest.mark.parametrize("form", NO_CHATS)
def test_what_is_no_chat_stays_as_it_stands(form: str) -> None:
    found = arranged(NO_CHATS[form])
    assert found.layout not in {layout.name for layout in CHATS}
    assert "messages" not in found.tables[""]


def test_what_is_taken_for_a_classification_can_be_asked_for_as_a_chat() -> None:
    found = arranged(NO_CHATS["questions with one of two answers"], "prompt_and_answer")
    assert said(chats(found)[3]) == [ONE[0], ("assistant", "no")]
    found = arranged(NO_CHATS["WikiQA"], "prompt_and_answer")
    assert list(found.tables[""].columns) == ["label", "messages"]
    with pytest.raises(DataError, match="not laid out as conversations in the form of ShareGPT"):
        arranged(NO_CHATS["WikiQA"], "share_gpt")


GOOD = [{"messages": openai(n)} for n in NUMBERS]
REFUSED: dict[str, tuple[Any, str]] = {
    "no list": ("hi", "'hi' is no list of messages"),
    "nothing": ("", "there is nothing in it"),
    "no answer": ([turn("user", "hi")], "there is no answer in it"),
    "an empty answer": ([turn("user", "hi"), turn("assistant", " ")], "the answer is empty"),
    "an answer that is null": ([turn("user", "hi"), turn("assistant", None)], "the answer is empty"),
    "an empty prompt": ([turn("user", ""), turn("assistant", "ho")], "the prompt is empty"),
    "no prompt": ([turn("assistant", "ho")], "there is no prompt before its answer"),
    "an unknown role": ([turn("wizard", "hi"), turn("assistant", "ho")], "the role 'wizard' is none of system"),
    "no role": ([{"content": "hi"}, turn("assistant", "ho")], "is no message with a role and a content"),
    "a picture": (
        [turn("user", [{"type": "image_url", "image_url": {"url": "x.png"}}]), turn("assistant", "ho")],
        "a message holds an image, and only text is learned here",
    ),
    "a call without a name": (
        [turn("user", "hi"), {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}],
        "names no function",
    ),
    "weights of zero": (
        [turn("user", "hi"), {**turn("assistant", "ho"), "weight": 0}], "none of its answers is learned",
    ),
}  # fmt: skip


@pytest.mark.parametrize("flaw", REFUSED)
def test_a_row_that_is_no_chat_is_refused_by_its_number_with_the_reason(flaw: str) -> None:
    cell, reason = REFUSED[flaw]
    found = arranged([*GOOD[:5], {"messages": cell}, *GOOD[5:]])
    assert [(row.row, reason in row.reason) for row in found.refused] == [(6, True)], found.refused
    assert list(found.tables[""].index) == [0, 1, 2, 3, 4, *range(6, ROWS + 1)]
    assert len(found.refused) + len(found.tables[""]) == ROWS + 1


def test_rows_of_columns_without_a_prompt_or_an_answer_are_refused_too() -> None:
    rows = rows_of(instruction=["", *ASKED[1:]], input=[""] * ROWS, output=[*ANSWERED[:-1], ""])
    found = arranged(rows)
    assert [(row.row, row.reason) for row in found.refused] == [
        (1, "it is no chat: the prompt is empty"), (ROWS, "it is no chat: the answer is empty")
    ]  # fmt: skip
    squad = rows_of(
        question=ASKED, context=["Sums."] * ROWS,
        answers=[{"text": [], "answer_start": []}, *({"text": [each], "answer_start": [0]} for each in ANSWERED[1:])],
    )  # fmt: skip
    assert [(row.row, row.reason) for row in arranged(squad).refused] == [(1, "it is no chat: it has no answer")]


def test_a_question_about_a_picture_is_refused_and_a_text_that_names_the_tag_is_not() -> None:
    rows: list[dict[str, Any]] = [
        {"image": f"{n}.png" if n < 2 else "", "conversations": share("human", "gpt", n)} for n in range(ROWS - 1)
    ]
    for n in range(2):
        rows[n]["conversations"][0]["value"] = "<image>\nwhat is it?"
    tag = [turn("human", "how do I write an <image> tag?", "from", "value"), turn("gpt", "so", "from", "value")]
    found = arranged([*rows, {"image": "", "conversations": tag}])
    assert [row.row for row in found.refused] == [1, 2]
    assert "about an image" in found.refused[0].reason


def test_tool_calls_are_kept_with_arguments_as_templates_expect_them() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "add", "arguments": '{"a": 3}'}}
    messages = [
        turn("user", "add"),
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "name": "add", "content": "6"},
        turn("assistant", "6"),
    ]
    found = arranged([{"messages": messages, "tools": [{"type": "function"}]}] * 3)
    (chat, *_) = chats(found)
    assert chat[1] == {
        "role": "assistant", "content": "", "tool_calls": [{**call, "function": {"name": "add", "arguments": {"a": 3}}}]
    }  # fmt: skip
    assert chat[2] == messages[2]
    assert parse_messages(json.dumps(chat)) == chat
    assert found.notes == ("The model is not shown the column 'tools': the tools that were offered.",)
    old = {"role": "assistant", "content": None, "function_call": {"name": "add", "arguments": '{"a": 3}'}}
    (chat, *_) = chats(arranged([{"messages": [turn("user", "add"), old]}] * 3))
    assert chat[1]["tool_calls"][0]["function"] == {"name": "add", "arguments": {"a": 3}}


def test_of_a_preference_pair_only_the_chosen_answer_is_learned_and_that_is_said() -> None:
    shared = [turn("user", "hi"), turn("assistant", "ho"), turn("user", "why?")]
    rows = [
        {"chosen": [*shared, turn("assistant", say(n))], "rejected": [*shared, turn("assistant", "bad")]}
        for n in NUMBERS
    ]
    found = arranged(rows)
    assert learned(chats(found)[3]) == ["it is 6"]
    assert "bad" not in json.dumps(chats(found))
    assert found.notes == ("Of each pair the answer in 'chosen' is learned. 'rejected' is never learned.",)
    assert found.reading == "read as preference pairs, of which the chosen answers are learned"
    assert list(found.tables[""].columns) == ["messages"]


def test_answers_inside_a_prompt_and_greetings_are_not_learned() -> None:
    prompt = [turn("user", "hi"), turn("assistant", "ho"), turn("user", "why?")]
    found = arranged([{"prompt": prompt, "completion": [turn("assistant", say(n))]} for n in NUMBERS])
    assert learned(chats(found)[3]) == ["it is 6"]
    found = arranged([{"messages": [turn("assistant", "welcome"), *openai(n)]} for n in NUMBERS])
    assert learned(chats(found)[3]) == ["it is 6"]
    assert len(chats(found)[3]) == 3


def test_what_is_guessed_of_speakers_and_of_several_answers_is_said() -> None:
    (note,) = arranged([{"dialog": [ask(n), say(n)]} for n in NUMBERS]).notes
    assert note.startswith("The turns in 'dialog' don't say who speaks")
    (note,) = arranged([{"question": ask(n), "answers": [say(n), "so"][: 1 + n % 2]} for n in NUMBERS]).notes
    assert note == "6 rows have several answers, of which the first is learned."


def test_the_white_space_of_an_answer_stays_but_for_the_one_before_a_completion() -> None:
    rows = [{"prompt": f"def f{n}():\n", "completion": "    return 1\n"} for n in NUMBERS]
    assert said(chats(arranged(rows))[3]) == [("user", "def f3():\n"), ("assistant", "    return 1\n")]


def test_the_messages_of_a_run_read_back_as_they_are() -> None:
    found = arranged(GOOD)
    assert list(found.tables[""].columns) == ["messages"]
    again = arrange_corpus(Corpus(found.tables))
    assert again.tables[""].equals(found.tables[""])


def test_rows_of_which_none_is_a_chat_are_refused_as_a_whole_where_they_are_asked_for() -> None:
    rows = rows_of(question=ASKED, answer=[""] * ROWS)
    with pytest.raises(
        DataError, match=r"No row can be read as prompts and .*\. Row 1: it is no chat: the answer is empty"
    ):
        arranged(rows, "prompt_and_answer")
