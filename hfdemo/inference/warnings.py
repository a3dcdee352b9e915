"""What an answer does not show: text that the model never read, words that its tokenizer does not know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hfdemo.inference.prediction import PredictionJob
from hfdemo.models.loading import LoadedModel
from hfdemo.tasks import Task

# From this share of unknown tokens on the answer is about something else than the text.
MOSTLY_UNKNOWN = 0.5


def warn_of_model(loaded: LoadedModel) -> Iterator[str]:
    """Yield what holds for every answer of `loaded`."""
    if not loaded.report.is_trustworthy:
        yield str(loaded.report)
    yield from loaded.warnings


def warn_of_job(
    task: Task, loaded: LoadedModel, job: PredictionJob, read: Sequence[int] | None = None
) -> Iterator[str]:
    """Yield what holds for the answer to `job`; `read` are the token ids that the model was seen to read, where it was.

    Only inside the caller's turn: the tokenizer is one for all.
    """
    yield from job.notes
    yield from _warn_of_texts(task, loaded, job, read)
    if task.warn is not None:
        yield from task.warn(loaded, job.inputs, job.parameters)


def _warn_of_texts(task: Task, loaded: LoadedModel, job: PredictionJob, read: Sequence[int] | None) -> Iterator[str]:
    texts, tokenizer = task.tokenized_texts(job.inputs, job.parameters), loaded.tokenizer
    if not texts or tokenizer is None:
        return
    most = tokenizer.model_max_length
    # What was read and is not as long as it may be is the whole text: no need to tokenize it again.
    ids = read if read and len(read) < most else tokenizer(*texts, verbose=False)["input_ids"]
    if len(ids) > most and (task.truncates or most <= len(read or ()) < len(ids)):
        subject = "The text has" if len(texts) == 1 else "Both texts have"
        yield f"{subject} {len(ids):,} tokens; the model reads {most:,}. The rest was cut off."
    unknown = tokenizer.unk_token_id
    marks = {*tokenizer.all_special_ids} - {unknown}
    words = [each for each in ids[:most] if each not in marks]
    strange = words.count(unknown) if unknown is not None else 0
    if strange and strange >= MOSTLY_UNKNOWN * len(words):
        every = strange == len(words)
        which = "Every token of the text is" if every else f"{strange:,} of the text's {len(words):,} tokens are"
        yield (
            f"{which} {tokenizer.unk_token}: the tokenizer does not know these characters, and the "
            "model reads the same for all of them. See the tokens, or pick a model made for this script."
        )


# Processors that scale one side to a size of their own round such a picture's other side to nothing.
_LEAST_SIDE, _MOST_RATIO = 32, 20
_USUAL_ADVICE = "Change the input, a parameter or the model."


def advise(loaded: LoadedModel, jobs: Sequence[PredictionJob]) -> str:
    """Return what to do if the model can't answer `jobs`: what is odd about their inputs, where something is."""
    said = [each for job in jobs for each in _find_oddities(loaded, job.inputs)]
    return " ".join(said[:2]) or _USUAL_ADVICE


def _find_oddities(loaded: LoadedModel, inputs: Mapping[str, Any]) -> Iterator[str]:
    most = loaded.context or 512
    for name, value in inputs.items():
        if hasattr(value, "width") and hasattr(value, "height"):
            width, height = value.width, value.height
            if min(width, height) < _LEAST_SIDE or max(width, height) > _MOST_RATIO * min(width, height):
                yield (
                    f"The picture is {width:,} × {height:,} pixels, a shape that models can't scale: crop it, or send "
                    f"one with at least {_LEAST_SIDE} pixels on each side."
                )
        for text in [value] if isinstance(value, str) else value if isinstance(value, list) else ():
            # Half as many characters as tokens are rare, and counting them here would need the tokenizer to itself.
            if isinstance(text, str) and len(text) > 2 * most:
                yield (
                    f"{text[:30]!r}… in {name} has {len(text):,} characters, and the model reads {most:,} tokens: "
                    "shorten it."
                )
