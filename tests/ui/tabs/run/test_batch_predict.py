"""A whole file: which column is read, and what goes to Fine-tune."""

import pandas as pd
import pytest

from hfdemo.errors import DataError
from hfdemo.ui.tabs.run.batch_predict import NONE, likely_text_column, send_rows


def test_rows_that_are_sent_twice_are_told_apart_and_no_second_column_is_none() -> None:
    first, second = send_rows("a.csv", "text", NONE), send_rows("a.csv", "text", "reply")
    assert first[:3] == ("a.csv", "text", None)
    assert second[:3] == ("a.csv", "text", "reply")
    assert first[3] < second[3]


def test_there_is_nothing_to_send_before_there_is_a_file() -> None:
    with pytest.raises(DataError, match="There is no file"):
        send_rows(None, None, NONE)


def test_the_column_of_texts_is_the_one_with_the_longest_words() -> None:
    assert likely_text_column(pd.DataFrame({"id": ["1", "2"], "review": ["A joy.", "Dull."]})) == "review"
