"""The data doctor says what is wrong, mends it with one press, takes it back with another, and draws text as text."""

import json
import re
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from hfdemo.errors import DataError, DemoError, Stopped
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.dataset.inspection import Truncation
from hfdemo.finetuning.preprocessing import Lengths, RowAsRead, count_tokens
from hfdemo.settings import Settings
from hfdemo.tables import RefusedRow
from hfdemo.ui.tabs.finetune import data_events, form_table, form_values, inspection_view
from hfdemo.ui.tabs.finetune.form_data import CountedTokens, change_kind, make_count_key, suggest_values, update_splits
from tests.ui.samples import EVIL, escaped, text_of
from tests.ui.tabs.finetune.forms import look, open_file, rows_of, write


@pytest.fixture
def sick(tmp_path: Path) -> Path:
    """A repeated row, one with two labels, a blank cell, a label of one row, and a row with a cell too many."""
    rows = [*rows_of(("the sea is warm", "up"), ("the sky is warm", "down"), ("", "up"), ("so so", "flat"))]
    path = write(tmp_path / "sick.csv", rows)
    with path.open("a", encoding="utf-8") as file:
        file.write("too,many,cells\n")
    return path


def press(form: Any, named: dict[str, Any], taken: list[Any], what: str) -> tuple[dict[str, Any], list[Any]]:
    changed, taken = inspection_view.apply_action(what, named, taken, look(form, named))
    return {**named, **changed}, taken


def test_every_problem_is_a_card_with_its_first_row_and_one_button(sick: Path, settings: Settings) -> None:
    form, named = open_file(sick, settings)
    drawn = inspection_view.render_problems(look(form, named))
    for code in ("refused_rows", "blank_cells", "duplicates", "contradictions", "rare_labels"):
        assert drawn.count(f"data-do='fix:{code}:drop_") == 1
    assert "row 17" in text_of(drawn)
    assert "the sea is warm" in drawn
    assert drawn.index("refused_rows") < drawn.index("duplicates")  # what a run is refused for comes first


def test_a_press_takes_the_fix_counts_again_and_an_undo_takes_it_back(sick: Path, settings: Settings) -> None:
    form, named = open_file(sick, settings)
    before = sick.read_bytes()
    fixed, taken = press(form, named, [], "fix:duplicates:drop_duplicates")
    examined = look(form, fixed)
    assert fixed["fixes"] == ["drop_duplicates"]
    assert "duplicates" not in {problem.code for problem in examined.inspection.problems}
    assert "removed 1 row" in text_of(inspection_view.render_changes(examined, taken))
    assert examined.inspection.labels["up"] == look(form, named).inspection.labels["up"] - 1
    undone, taken = press(form, fixed, taken, "undo:0")
    assert undone["fixes"] == []
    assert taken == []
    assert "duplicates" in {problem.code for problem in look(form, undone).inspection.problems}
    assert sick.read_bytes() == before


def test_blank_cells_of_two_columns_are_mended_each_by_its_own_button(tmp_path: Path, settings: Settings) -> None:
    rows = [(f"text {i}", ("x|y", "x", "y", "")[i % 4]) for i in range(24)]
    form, named = open_file(write(tmp_path / "sets.csv", [*rows, ("", "x")]), settings)
    examined = look(form, named)
    assert [each.code for each in examined.inspection.problems] == ["blank_cells", "blank_cells"]
    buttons = re.findall(r"data-do='(fix:[^']*)'", inspection_view.render_problems(examined))
    assert [press(form, named, [], button)[0]["fixes"] for button in buttons] == [
        ["drop_blank_rows"],
        ["keep_blank_labels"],
    ]
    taken: list[Any] = []
    for button in reversed(buttons):  # the first drops rows without a label, too
        named, taken = press(form, named, taken, button)
    assert look(form, named).inspection.problems == ()
    assert sum(look(form, named).split_rows.values()) == 24


def test_after_every_fix_a_run_can_be_made(sick: Path, settings: Settings) -> None:
    form, named = open_file(sick, settings)
    taken: list[Any] = []
    assert look(form, named).refusal.startswith("Row 21 can't be read")
    for _ in range(10):
        mendable = [problem for problem in look(form, named).inspection.problems if problem.change]
        if not mendable:
            break
        named, taken = press(form, named, taken, inspection_view.fix_action(mendable[0]))
    examined = look(form, named)
    assert examined.refusal == ""
    assert sum(examined.split_rows.values()) == 15
    assert form_values.config_from_values(named).fixes == tuple(each["value"] for each in taken)


def test_uneven_labels_are_mended_by_class_weights_and_undone_to_what_was_there(
    tmp_path: Path, settings: Settings
) -> None:
    rows = [(f"word {number}", "common") for number in range(40)]
    rows += [(f"word {number}", "rare") for number in range(40, 44)]
    form, named = open_file(write(tmp_path / "uneven.csv", rows), settings)
    fixed, taken = press(form, named, [], "fix:imbalance")
    assert form_values.config_from_values(fixed).class_weights == "balanced"
    assert look(form, fixed).inspection.problems == ()
    assert press(form, fixed, taken, "undo:0")[0]["class_weights"] == named["class_weights"]
    by_hand = {**fixed, "class_weights": '{"common": 1, "rare": 3}'}
    assert inspection_view.drop_overwritten(by_hand, taken) == []  # nothing to undo any more


def test_a_button_of_an_older_report_or_of_nobody_does_nothing(sick: Path, settings: Settings) -> None:
    form, named = open_file(sick, settings)
    fixes = ("fix:leaks:drop_leaks", "fix:blank_cells", "fix:duplicates:drop_leaks", "fix:")
    for what in (*fixes, "undo:0", "undo:x", "up:0", "down:99", "up:99", "up:-1", "", EVIL):
        assert press(form, named, [], what) == (named, [])


def test_labels_are_moved_one_place_at_a_time_and_back_to_the_usual_order(tmp_path: Path, settings: Settings) -> None:
    form, named = open_file(write(tmp_path / "good.csv", rows_of()), settings)
    assert look(form, named).labels == ("down", "up")
    moved, _ = press(form, named, [], "up:1")
    assert form_values.config_from_values(moved).labels == ("up", "down")
    drawn = inspection_view.render_labels(look(form, moved))
    assert drawn.index("<b>up") < drawn.index("<b>down")
    assert "Usual order" in drawn
    assert press(form, moved, [], "usual")[0]["labels"] is None
    assert "Usual order" not in inspection_view.render_labels(look(form, named))


def test_the_positive_class_is_marked_and_can_be_chosen(tmp_path: Path, settings: Settings) -> None:
    form, named = open_file(write(tmp_path / "good.csv", rows_of()), settings)
    update = data_events.update_data_fields(look(form, named).inspection, named)["positive"]
    assert (update["choices"], update["value"], update["visible"]) == (["down", "up"], "up", True)
    examined = look(form, {**named, "positive": "down"})
    assert "down <em class='hf-chip'>positive" in inspection_view.render_labels(examined)


@pytest.mark.parametrize("place", ["header", "text", "label", "split"])
def test_what_stands_in_the_data_is_drawn_as_text(place: str, tmp_path: Path, settings: Settings) -> None:
    header = (EVIL if place == "header" else "text", "label", "part")
    label = EVIL if place == "label" else "good"
    rows = [(f"{EVIL if place == 'text' else 'word'} {number // 2}", label, "train") for number in range(30)]
    rows += [("", "bad", EVIL if place == "split" else "train"), ("one more", "bad", "train")]
    form, named = open_file(write(tmp_path / "evil.csv", rows, header), settings)
    named |= {"label": ["label"], "split": "part" if place == "split" else form_table.NO_COLUMN}
    examined = look(form, named)
    drawn = inspection_view.render_reading(examined) + inspection_view.render_inspection(
        examined, inspection_view.changes_of_fixes(["drop_blank_rows"])
    )
    assert escaped(drawn)
    assert escaped(inspection_view.render_refused_rows([RefusedRow(EVIL, 1, EVIL)]))


def test_buttons_never_carry_a_text_of_the_data(tmp_path: Path, settings: Settings) -> None:
    rows = [(f"word {number}", EVIL) for number in range(8)] + [(f"thing {number}", "x") for number in range(8)]
    form, named = open_file(write(tmp_path / "evil.csv", rows), settings)
    drawn = inspection_view.render_inspection(look(form, named), ())
    assert "data-do='up:1'" in drawn
    assert all(EVIL not in part and "&lt;" not in part.split("'")[0] for part in drawn.split("data-do='")[1:])


def test_refused_rows_are_shown_fifty_at_a_time() -> None:
    rows = [RefusedRow("", number, f"reason {number}") for number in range(1, 121)]
    assert "Rows 1 to 50 of 120" in inspection_view.render_refused_rows(rows)
    last = inspection_view.render_refused_rows(rows, 3)
    assert "Rows 101 to 120 of 120" in last
    assert "reason 100<" not in last
    assert "reason 120<" in last
    assert inspection_view.render_refused_rows(rows, 99) == last
    assert inspection_view.render_refused_rows(()) == ""


def test_another_kind_of_answers_looks_for_columns_of_its_own(tmp_path: Path, settings: Settings) -> None:
    rows = [(json.dumps(["a", "b"]), json.dumps(["O", "B-X"]), "good" if n % 2 else "bad") for n in range(12)]
    path = write(tmp_path / "tags.csv", rows, ("tokens", "ner_tags", "label"))
    form, named = open_file(path, settings)
    assert (named["kind"], named["text"], named["label"]) == ("tokens", "tokens", ["ner_tags"])
    other = change_kind(form, {**named, "kind": "single_label"})
    assert other["label"] == ["label"]
    language = change_kind(form, {**named, "kind": "language"})
    assert language["label"] == []
    assert form_values.config_from_values(language).task == "text-generation"


def test_the_splits_follow_the_split_column(tmp_path: Path, settings: Settings) -> None:
    rows = [(text, label, "dev" if number % 4 == 0 else "train") for number, (text, label) in enumerate(rows_of())]
    form, named = open_file(write(tmp_path / "s.csv", rows, ("note", "mood", "split")), settings)
    assert (named["train_split"], named["validation_split"], named["test_split"]) == (
        "train",
        "dev",
        form_table.NO_SPLIT,
    )
    assert form_values.config_from_values(named).splits == {}
    assert dict(look(form, named).split_rows) == {"train": 12, "validation": 4}
    unsplit = update_splits(form, {**named, "split": form_table.NO_COLUMN})
    assert unsplit["found"] == ()
    assert unsplit["train_split"] == form_table.NO_SPLIT
    made = look(form, {**unsplit, "validation_share": 0.25, "test_share": 0.25})
    assert dict(made.split_rows) == {"train": 8, "validation": 4, "test": 4}
    assert any("held out for test, stratified by label, with seed 42" in note for note in made.made)


def test_a_config_that_was_opened_keeps_its_columns_fixes_and_labels(sick: Path, settings: Settings) -> None:
    form, named = open_file(sick, settings)
    wanted = RunConfig(
        str(sick), text_column="mood", label_column="note", fixes=("drop_duplicates",), labels=("b", "a")
    )
    found = suggest_values(form, named, wanted)
    assert (found["text"], found["label"]) == ("mood", ["note"])
    assert found["fixes"] == ("drop_duplicates",)
    assert found["labels"] == ("b", "a")


def test_tokens_are_counted_as_training_reads_them_and_a_cut_becomes_a_problem(
    tmp_path: Path, settings: Settings
) -> None:
    rows = [(f"{'word ' * (30 if number < 4 else 3)}{number}", "up" if number % 2 else "down") for number in range(40)]
    form, named = open_file(write(tmp_path / "long.csv", rows), settings)
    corpus, config, path = form.read_data(named)
    told: list[tuple[int, int]] = []
    lengths = count_tokens(corpus, config, "embedded:minilm", settings, Event(), lambda *it: told.append(it))
    assert (len(lengths.lengths), lengths.rows, lengths.limit, told[-1]) == (40, 40, 512, (40, 40))
    assert max(lengths.lengths) == 33  # thirty words, a number, [CLS] and [SEP]
    counted = CountedTokens(make_count_key(config, path, "embedded:minilm"), lengths)
    cut, still = form.examine({**named, "max_length": 16}, counted)
    assert still is counted
    assert cut.inspection.truncation is not None
    assert cut.inspection.truncation.rows == 4
    drawn = inspection_view.render_inspection(cut, (), counted)
    assert "4 rows (10.0%) lose their end at 16 tokens" in text_of(drawn)
    changed, _ = inspection_view.apply_action("fix:truncation", {**named, "max_length": 16}, [], cut)
    assert changed == {"max_length": 40}
    assert form.examine({**named, "model": "embedded:sentiment"}, counted)[1] is None  # of another model


def test_counting_stops_when_asked_and_says_what_can_not_be_counted(sick: Path, settings: Settings) -> None:
    form, named = open_file(sick, settings)
    corpus, config, _ = form.read_data(named)
    with pytest.raises(DataError, match="can't be read"):
        count_tokens(corpus, config, "embedded:minilm", settings, Event(), lambda *_: None)
    stop = Event()
    stop.set()
    fixed = form_values.data_config_from_values(
        {**named, "fixes": ("drop_refused_rows", "drop_blank_rows", "drop_rare_labels")}
    )
    with pytest.raises(Stopped):
        count_tokens(corpus, fixed, "embedded:minilm", settings, stop, lambda *_: None)
    with pytest.raises(DemoError):
        count_tokens(corpus, fixed, "/no/such/model", settings, Event(), lambda *_: None)


def test_a_data_set_without_a_limit_to_its_rows_says_that_nothing_is_cut(tmp_path: Path, settings: Settings) -> None:
    form, named = open_file(write(tmp_path / "good.csv", rows_of()), settings)
    _, config, path = form.read_data(named)
    counted = CountedTokens(make_count_key(config, path, named["model"]), Lengths((7, 8), None, 16))
    examined, _ = form.examine(named, counted)
    drawn = text_of(inspection_view.render_inspection(examined, (), counted))
    assert "this model names no limit" in drawn
    assert "2 of 16, evenly spread" in drawn


def test_a_row_is_shown_with_its_learned_and_cut_tokens_marked_and_its_template_said() -> None:
    row = RowAsRead(("User: ", "<b>", "\n", "yes", "!"), (False, False, False, True, True), 3, "{{ x }}", is_plain=True)
    drawn = inspection_view.render_row_as_read(row, Truncation(4, 1, 0.1, 8))
    assert "8 tokens, of which 1 is learned (marked)" in drawn
    assert "<span>&lt;b&gt;</span>" in drawn
    assert "<span class='hf-learned'>yes</span><span class='hf-cut'>!</span>" in drawn
    assert "… and 3 tokens more" in drawn
    assert "A plain one is used, and saved with the model: {{ x }}" in drawn
    whole = inspection_view.render_row_as_read(RowAsRead(("[CLS]", "hi"), ()), Truncation(1, 1, 1.0, 2))
    assert "hf-learned" not in whole
    assert "hf-cut" not in whole
    assert "chat template" not in whole
    assert inspection_view.render_row_as_read(None, None) == ""
