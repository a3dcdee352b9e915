"""The rows: data_sources -> layouts -> columns -> fixes -> labels -> splitting -> prepare.

layouts/    tables of chats, spans or a word a row, arranged as rows of messages, or of words and tags
columns     which column is what, which kind of answers its labels are, and the rows of text, text_pair and label
labels      their order, and the positive one
fixes       repairs by name
splitting   given splits, or made ones
near_copies texts that say the same, however they are written
shortcuts   what tells the labels without the texts
findings    what is wrong, and the change of the config that mends it
inspection  all of that as one Inspection
preparing   all of that as checked splits
"""

from __future__ import annotations

from hfdemo.finetuning.dataset.columns import Columns, suggest_columns
from hfdemo.finetuning.dataset.inspection import Inspection, inspect
from hfdemo.finetuning.dataset.preparing import Prepared, prepare, read_data, record_reading

__all__ = ["Columns", "Inspection", "Prepared", "inspect", "prepare", "read_data", "record_reading", "suggest_columns"]
