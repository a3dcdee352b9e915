"""The HTML of the data doctor, and what its buttons do: how the data was read, what is wrong with it, what was mended.

A button carries what it does in `data-do`, from a closed list of words and numbers: never a text of the data.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from hfdemo.finetuning.dataset.corrections import describe_corrections, parse_correction
from hfdemo.finetuning.dataset.findings import Finding
from hfdemo.finetuning.dataset.fixes import FIXES
from hfdemo.finetuning.dataset.inspection import Truncation
from hfdemo.finetuning.kinds import DEFAULT_KIND, KINDS, find_kind
from hfdemo.finetuning.preprocessing import RowAsRead
from hfdemo.tables import RefusedRow
from hfdemo.ui import read_options
from hfdemo.ui.html import code, escape, facts, table, with_title
from hfdemo.ui.tabs.finetune.form_data import CountedTokens, ExaminedData, find_row
from hfdemo.ui.tabs.finetune.form_values import Values
from hfdemo.ui.tabs.finetune.steps import render_step_button

PREVIEWED = 6
PAGE = 50  # refused rows that are shown at once
MOST_LABELS = 60
_MOST_CHARACTERS = 240
NO_PROBLEMS = "<div class='hf-well'>✓ No problems found in your data.</div>"
UNDO_CORRECTIONS = "undo:corrections"
# A change that was taken: the field of the form, its value, the one before it, and what that does, in words.
Change = Mapping[str, Any]


def render_reading(examined: ExaminedData) -> str:
    """Render how much there is and how it was read, and what the reader had to say."""
    found, corpus = examined.inspection, examined.corpus
    # The refused rows have a card of their own, with a table.
    said = [note for note in corpus.notes if "can't be read. Row" not in note]
    return read_options.render_reading(found.rows, found.columns, corpus.reading, said)


def render_first_rows(examined: ExaminedData) -> str:
    """Render the first rows as they were read."""
    first = next(iter(examined.corpus.tables.values())).head(PREVIEWED)
    rows = [[_shorten(cell) for cell in row] for row in first.itertuples(index=False)]
    drawn = table(
        [str(name) for name in first.columns], rows, wrap=True, kind="hf-first-rows", scroll="hf-first", focusable=True
    )
    return with_title("The first rows", drawn)


def render_inspection(
    examined: ExaminedData, taken: Sequence[Mapping[str, Any]], counted: CountedTokens | None = None
) -> str:
    """Render splits, labels, problems and what was mended: everything that changes with a fix."""
    return (
        render_splits(examined)
        + "".join(f"<div class='hf-about hf-small'>{escape(each)}</div>" for each in examined.inspection.readings)
        + render_labels(examined)
        + (_render_truncation(examined.inspection.truncation, counted) if counted else "")
        + (render_row_as_read(counted.counts.sample, examined.inspection.truncation) if counted else "")
        + render_problems(examined)
        + render_changes(examined, taken)
    )


def render_splits(examined: ExaminedData) -> str:
    """Render rows per split, and how a split that the data lacks is made."""
    counted = [(name, f"{count:,} rows") for name, count in examined.split_rows.items()]
    if not counted:
        counted = [("rows", f"{examined.inspection.rows:,}"), ("validation", "a part of the rows will be held out")]
    return facts(counted) + "".join(f"<div class='hf-about hf-small'>{escape(each)}</div>" for each in examined.made)


def render_labels(examined: ExaminedData) -> str:
    """Render the labels in the model's order, with their counts as bars and buttons that change the order."""
    found = examined.inspection
    if not found.labels:
        return ""
    order = list(examined.labels or found.label_order)
    names = order or list(found.labels)
    most = max(found.labels.values(), default=1) or 1
    movable = bool(order) and len(order) > 1
    rows = []
    for number, name in enumerate(names[:MOST_LABELS]):
        count = found.labels.get(name, 0)
        buttons = ""
        if movable:
            buttons = _move_button("up", "▲", number, number == 0) + _move_button(
                "down", "▼", number, number == len(order) - 1
            )
        positive = " <em class='hf-chip'>positive</em>" if name == found.positive_label else ""
        rows.append(
            f"<div class='hf-count'><small>{number if order else ''}</small> <b>{escape(name)}{positive}</b> "
            f"<div><i style='width:{100 * count / most:.2f}%'></i></div> <span>× {count:,}</span>"
            f"<span class='hf-moves'>{buttons}</span></div>"
        )
    if len(names) > MOST_LABELS:
        rows.append(f"<div class='hf-about hf-small'>and {len(names) - MOST_LABELS:,} more</div>")
    title = KINDS.get(found.kind or "", DEFAULT_KIND).page.counted
    usual = _action_button("usual", "Usual order") if movable and tuple(order) != found.usual_order else ""
    head = with_title(title, "")
    return f"<div class='hf-counts-head'>{head}{usual}</div><div class='hf-counts'>{''.join(rows)}</div>"


def render_verdict(examined: ExaminedData) -> str:
    """Render in a line how many problems the data has, and the way to them."""
    found = examined.inspection.problems
    if not found:
        return NO_PROBLEMS
    must = sum(each.refuses for each in found)
    said = f"{len(found)} {'thing' if len(found) == 1 else 'things'} to look at in your data"
    said += f", {must} must be fixed" if must else ""
    return f"<div class='hf-verdict'><b>{said}</b> {render_step_button('check', 'Go to Check')}</div>"


def render_problems(examined: ExaminedData) -> str:
    """Render one card per problem: what, how many, the first row that it is about, and the button that mends it."""
    found = examined.inspection.problems
    if not found:
        return NO_PROBLEMS
    ordered = sorted(found, key=lambda each: not each.refuses)
    return "".join(_render_problem(examined, each) for each in ordered)


def render_changes(examined: ExaminedData, taken: Sequence[Mapping[str, Any]]) -> str:
    """Render the fixes and changes that were taken, each with its undo."""
    if not taken:
        return ""
    did = dict(note.split(" ", 1) for note in examined.inspection.notes)
    lines, corrected = [], [each["value"] for each in taken if _is_correction(each)]
    if corrected:
        said = f"Rows corrected one by one: {describe_corrections(corrected)}."
        lines.append(f"<li><span>✓ {said}</span>{_action_button(UNDO_CORRECTIONS, 'Undo')}</li>")
    for number, each in enumerate(taken):
        said, count = each["said"], ""
        if _is_correction(each):
            continue
        if each["name"] == "fixes":
            said = FIXES[each["value"]].does
            count = f" <b>{escape(did.get(each['value'], 'changed nothing'))}</b>"
        lines.append(f"<li><span>✓ {escape(said)}{count}</span>{_action_button(f'undo:{number}', 'Undo')}</li>")
    head = with_title("Mended for this run; the data set itself is left as it is", "")
    return f"{head}<ul class='hf-mended'>{''.join(lines)}</ul>"


def _is_correction(change: Change) -> bool:
    return change["name"] == "fixes" and parse_correction(change["value"]) is not None


def render_refused_rows(rows: Sequence[RefusedRow], page: int = 1) -> str:
    """Render a page of the rows that fit no table."""
    if not rows:
        return ""
    pages = -(-len(rows) // PAGE)
    page = min(max(1, page), pages)
    shown = rows[(page - 1) * PAGE : page * PAGE]
    parted = any(row.split for row in rows)
    in_lines = any(row.first_line for row in rows)
    head = [*(["split"] if parted else []), "row", *(["lines"] if in_lines else []), "why it can't be read"]
    cells = [
        [*([row.split] if parted else []), row.row, *([row.lines] if in_lines else []), row.reason] for row in shown
    ]
    first = (page - 1) * PAGE + 1
    where = f"Rows {first:,} to {first + len(shown) - 1:,} of {len(rows):,} that can't be read"
    drawn = table(head, cells, (head.index("row"),), wrap=True)
    return with_title(where, f"<div class='hf-refused-rows'>{drawn}</div>")


def _render_truncation(found: Truncation | None, counted: CountedTokens) -> str:
    lengths, rows = counted.counts.lengths, counted.counts.rows
    looked = len(lengths)
    of = f"{looked:,}" if looked == rows else f"{looked:,} of {rows:,}, evenly spread"
    pairs = [("rows counted", of), ("longest", f"{max(lengths):,} tokens")]
    if found is None:
        return facts([*pairs, ("cut", "nothing: this model names no limit")])
    verb = "loses its end" if found.rows == 1 else "lose their end"
    told = f"{found.rows:,} rows ({found.share:.1%}) {verb} at {found.max_length:,} tokens"
    return facts([*pairs, ("truncation", told)])


def render_row_as_read(row: RowAsRead | None, found: Truncation | None) -> str:
    """Render the tokens of a row, with those marked that are learned, and those that are cut off."""
    if row is None:
        return ""
    end = found.max_length if found is not None and row.learned else len(row.tokens)
    tokens = []
    for number, token in enumerate(row.tokens):
        kind = "hf-cut" if number >= end else "hf-learned" if row.learned and row.learned[number] else ""
        tokens.append(f"<span class='{kind}'>{escape(token)}</span>" if kind else f"<span>{escape(token)}</span>")
    if row.more:
        tokens.append(f"<i>… and {row.more:,} tokens more</i>")
    learned = sum(row.learned[:end])
    title = f"A row as the model reads it: {len(row.tokens) + row.more:,} tokens"
    if row.learned:
        title += f", of which {learned:,} {'is' if learned == 1 else 'are'} learned (marked)"
    said = []
    if row.is_plain:
        said.append(
            "This tokenizer has no chat template. A plain one is used, and saved with the model: " + row.chat_template
        )
    elif row.chat_template:
        said.append("Written by the tokenizer's own chat template.")
    small = "".join(f"<div class='hf-about hf-small'>{escape(each)}</div>" for each in said)
    drawn = f"<div class='hf-as-read' tabindex='0' role='region' aria-label='A row as read'>{''.join(tokens)}</div>"
    return with_title(title, drawn + small)


def _render_problem(examined: ExaminedData, problem: Finding) -> str:
    must = problem.refuses
    fixes = problem.change.get("fixes", ())
    advice = " ".join(FIXES[name].does for name in fixes) if fixes and not problem.offers_reading else problem.fix
    button = _action_button(fix_action(problem), problem.button, advice) if problem.change else ""
    how = " hf-must" if must else " hf-read" if problem.offers_reading else ""
    said = "must be fixed" if must else "how it was read" if problem.offers_reading else "worth a look"
    chips = f"<em class='hf-chip{' hf-must' if must else ''}'>{said}</em>"
    if problem.rows:
        chips += f"<em class='hf-chip'>{problem.rows:,} {'row' if problem.rows == 1 else 'rows'}</em>"
    if problem.column:
        chips += f"<em class='hf-chip'>column {escape(problem.column)}</em>"
    example = find_row(examined, problem.row)
    quoted = ""
    if example is not None:
        text, label = map(_shorten, example)
        kind = f" <b>{escape(label)}</b>" if label.strip() else ""
        quoted = f"<blockquote><small>row {problem.row:,}</small> {escape(text) or '<i>(blank)</i>'}{kind}</blockquote>"
    return (
        f"<section class='hf-problem{how}'><div><p>{escape(problem.problem)}</p>{quoted}"
        f"<p class='hf-advice-line'>{code(advice)}</p><div class='hf-chips'>{chips}</div></div>{button}</section>"
    )


def _shorten(cell: object) -> str:
    text = str(cell)
    return text[:_MOST_CHARACTERS] + ("…" if len(text) > _MOST_CHARACTERS else "")


def fix_action(problem: Finding) -> str:
    """Return what the button of a problem does: two problems of one code may have fixes of their own."""
    return ":".join(("fix", problem.code, *problem.change.get("fixes", ())))


def _action_button(does: str, words: str, title: str = "") -> str:
    hint = f" title='{escape(title)}'" if title else ""
    return f"<button type='button' class='hf-do' data-do='{does}'{hint}>{words}</button>"


def _move_button(way: str, sign: str, number: int, edge: bool) -> str:
    off = " disabled" if edge else ""
    return (
        f"<button type='button' class='hf-move' data-do='{way}:{number}' aria-label='Move label {number} {way}'{off}>"
        f"{sign}</button>"
    )


def apply_action(
    what: str, values: Values, taken: Sequence[Change], examined: ExaminedData
) -> tuple[dict[str, Any], list[Change]]:
    """Return (the fields that change, the changes in force then) after a press on the button that does `what`.

    A button of a report that has been drawn anew since, or of nobody's, does nothing.
    """
    does, _, of = what.partition(":")
    kept = list(taken)
    order = list(examined.labels or examined.inspection.label_order)
    if does == "fix":
        mendable = (each for each in examined.inspection.problems if each.change)
        problem = next((each for each in mendable if fix_action(each) == what), None)
        return _apply_fix(problem, values, kept) if problem else ({}, kept)
    if does == "usual":
        return {"labels": None}, [each for each in kept if each["name"] != "labels"]
    if what == UNDO_CORRECTIONS:
        fixes = [name for name in values["fixes"] or () if parse_correction(name) is None]
        return {"fixes": fixes}, [each for each in kept if not _is_correction(each)]
    if not of.isdecimal():
        return {}, kept
    number = int(of)
    if does == "undo" and number < len(kept):
        return _undo_change(kept.pop(number), values), kept
    other = number + {"up": -1, "down": 1}.get(does, 0)
    if other != number and 0 <= other < len(order) and number < len(order):
        order[number], order[other] = order[other], order[number]
        return {"labels": order}, [each for each in kept if each["name"] != "labels"]
    return {}, kept


def drop_overwritten(values: Values, taken: Sequence[Change]) -> list[Change]:
    """Return the changes that nobody has changed again."""
    return [each for each in taken if each["name"] == "fixes" or values[each["name"]] == each["value"]]


def changes_of_fixes(names: Sequence[str]) -> list[Change]:
    """Return the fixes that a config brings along, as if they had been taken here."""
    return [{"name": "fixes", "value": name, "before": None, "said": ""} for name in names]


def _apply_fix(problem: Finding, values: Values, taken: list[Change]) -> tuple[dict[str, Any], list[Change]]:
    fixes = list(values["fixes"] or ())
    new = [name for name in problem.change.get("fixes", ()) if name not in fixes]
    changed: dict[str, Any] = {"fixes": fixes + new} if new else {}
    taken += changes_of_fixes(new)
    for name, value in _changes_by_field(problem).items():
        changed[name] = value
        taken.append({"name": name, "value": value, "before": values[name], "said": problem.fix})
    return changed, taken


def _changes_by_field(problem: Finding) -> dict[str, Any]:
    """Return the changes of a finding besides its fixes, by the names of the form."""
    change = {name: value for name, value in problem.change.items() if name != "fixes"}
    task = change.pop("task", None)
    problem_type = change.pop("problem_type", None)
    if task is not None:
        change["kind"] = find_kind(task, problem_type).name
    if "header" in change:
        change["header"] = read_options.header_choice(change["header"])
    if isinstance(change.get("class_weights"), Mapping):
        change["class_weights"] = json.dumps(change["class_weights"])
    return change


def _undo_change(entry: Change, values: Values) -> dict[str, Any]:
    if entry["name"] == "fixes":
        return {"fixes": [name for name in values["fixes"] or () if name != entry["value"]]}
    return {entry["name"]: entry["before"]}
