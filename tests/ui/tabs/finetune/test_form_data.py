"""How a file is read is a choice of the form: what the doctor doubts is one click, and an undo away."""

from pathlib import Path

from hfdemo.settings import Settings
from hfdemo.ui.tabs.finetune import form_values
from hfdemo.ui.tabs.finetune.form_data import suggest_values
from hfdemo.ui.tabs.finetune.inspection_view import apply_action, render_problems, render_reading, render_refused_rows
from tests.ui.tabs.finetune.forms import look, open_file

READINGS = Path(__file__).parents[3] / "data_sources" / "readings"


def test_a_click_reads_the_first_line_as_the_names_of_the_columns_and_an_undo_as_a_row_again(
    settings: Settings,
) -> None:
    form, named = open_file(READINGS / "sms_no_header.tsv", settings)
    examined = look(form, named)
    assert (named["text"], named["label"]) == ("column 2", ["column 1"])
    assert "data-do='fix:header'" in render_problems(examined)
    changed, taken = apply_action("fix:header", named, [], examined)
    assert changed == {"header": "names"}
    again = suggest_values(form, {**named, **changed}, None)
    assert (again["label"], len(look(form, again).corpus.tables[""])) == (["ham"], 47)
    back, taken = apply_action("undo:0", again, taken, look(form, again))
    assert (back, taken) == ({"header": ""}, [])


def test_encoding_and_header_go_into_the_config_and_come_back_from_it(settings: Settings) -> None:
    _, named = open_file(READINGS / "windows_1251.csv", settings, encoding="koi8-r", header="row")
    config = form_values.data_config_from_values(named)
    assert (config.encoding, config.header) == ("koi8-r", False)
    filled = form_values.values_from_config(config)
    assert (filled["encoding"], filled["header"]) == ("koi8-r", "row")


def test_the_reading_says_how_the_lines_add_up_and_refused_rows_name_theirs(settings: Settings) -> None:
    form, named = open_file(READINGS / "unclosed_quote.csv", settings)
    examined = look(form, named)
    assert "101 lines = 1 header + 99 rows + 1 refused + 0 blank" in render_reading(examined)
    assert "line 31" in render_refused_rows(examined.corpus.refused)
    assert "row 30 (line 31)" in render_problems(examined).lower()
