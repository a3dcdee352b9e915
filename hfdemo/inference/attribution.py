"""Why the model said it: how much each token adds to the logit of an answer, taken away or faded in."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from threading import Event
from types import MappingProxyType
from typing import Any

from hfdemo.errors import DemoError, Stopped, wrap_library_errors
from hfdemo.inference.predict import build_need, check_requirements
from hfdemo.inference.warnings import warn_of_model
from hfdemo.models.cache import ModelCache
from hfdemo.models.loading import LoadedModel
from hfdemo.models.reference import ModelRef
from hfdemo.tasks import Task

MOST_TOKENS = 512
# The integral is taken on so many points, doubled until the sum is right to within TOLERANCE or there are too many.
FIRST_STEPS, MOST_STEPS = 32, 512
TOLERANCE = 0.01
_TOKENS_A_PASS = 4096


@dataclass(frozen=True)
class Attribution:
    """What each token adds to the logit of `target`: above 0 it speaks for it, below 0 against it.

    `scores` have one number for each of `tokens`; `spans` are (text, start, end) in the texts, None for a special token
    and where the tokenizer knows no places. `logit` is the model's for the row, `baseline` its for the row without its
    words, which is what `integrated_gradients` begins from: the scores sum to `logit` - `baseline`, up to `error`, a
    share of that difference. With `leave_one_out` a score is what the logit loses when the token is taken away; those
    sum to nothing in particular, and `baseline` and `error` are None. `steps` is how many points were computed.
    """

    task: str
    model: str
    method: str
    target: str
    tokens: tuple[str, ...]
    special: tuple[bool, ...]
    spans: tuple[tuple[int, int, int] | None, ...]
    scores: tuple[float, ...]
    logit: float
    baseline: float | None
    error: float | None
    steps: int
    seconds: float
    warnings: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class EncodedRow:
    """A row that the model reads: ids [1, tokens] and what goes with them, and what of it is special."""

    inputs: dict[str, Any]
    special: tuple[bool, ...]
    spans: tuple[tuple[int, int, int] | None, ...]

    @property
    def ids(self) -> Any:
        return self.inputs["input_ids"]


def explain_answer(
    models: ModelCache,
    task: Task,
    ref: ModelRef,
    text: str,
    text_pair: str | None = None,
    target: str | None = None,
    method: str = "integrated_gradients",
    stop: Event | None = None,
) -> Attribution:
    """Say how much each token of a text, and of its pair, adds to the logit of `target`, else of the likeliest answer.

    Raises:
        DemoError: the task or the model can't be explained this way, or there is no such target.
        Stopped: `stop` was set.
    """
    check_explained(task)
    if method not in METHODS:
        raise DemoError(f"There is no method {method!r:.80}. Take one of {', '.join(METHODS)}.")
    asked = {"text": text} | ({"text_pair": text_pair} if text_pair else {})
    inputs, _ = task.check(asked, models.settings.max_characters)
    check_requirements(models, task, ref, inputs)
    loaded = models.get(ref, build_need(task), None, stop)
    began = time.perf_counter()
    advice = "Take another text or model."
    with models.scheduler.exclusive(stop), wrap_library_errors("This can't be explained", advice):
        row, notes = encode_row(loaded, text, text_pair)
        found = Explainer(loaded, task, row, target, stop)
        scores, baseline, steps = METHODS[method](found)
    difference = None if baseline is None else found.logit - baseline
    error = None if difference is None else abs(sum(scores) - difference) / max(abs(difference), 1e-6)
    if error is not None and error > TOLERANCE:
        notes.append(
            f"After {steps:,} steps the scores add up to the difference but for {error:.1%}: take them as a sketch."
        )
    return Attribution(
        task=task.name,
        model=str(ref),
        method=method,
        target=found.target.name,
        tokens=tuple(loaded.tokenizer.convert_ids_to_tokens(row.ids[0].tolist())),
        special=row.special,
        spans=row.spans,
        scores=tuple(scores),
        logit=found.logit,
        baseline=baseline,
        error=error,
        steps=steps,
        seconds=time.perf_counter() - began,
        warnings=(*warn_of_model(loaded), *notes),
    )


def check_explained(task: Task) -> None:
    """Make sure that answers of `task` can be explained.

    Raises:
        DemoError: they can't.
    """
    from hfdemo.tasks import TASKS

    if task.find_target is None:
        known = ", ".join(each.name for each in TASKS.values() if each.find_target is not None)
        raise DemoError(f"{task.name} can't be explained. Take a task of {known}.")


def encode_row(
    loaded: LoadedModel, text: str, pair: str | None, most: int = MOST_TOKENS
) -> tuple[EncodedRow, list[str]]:
    """Encode the texts as the task does, cut to what is read and to `most` tokens."""
    tokenizer = loaded.tokenizer
    most = min(most, tokenizer.model_max_length)
    whole = len(tokenizer(text, pair, verbose=False)["input_ids"])
    cut = {"truncation": True, "max_length": most} if whole > most else {}
    offsets = {"return_offsets_mapping": True} if tokenizer.is_fast else {}
    encoded = tokenizer(text, pair, return_tensors="pt", return_special_tokens_mask=True, **offsets, **cut)
    special = tuple(map(bool, encoded.pop("special_tokens_mask")[0].tolist()))
    places = encoded.pop("offset_mapping", None)
    spans: list[tuple[int, int, int] | None] = [None] * len(special)
    if places is not None:
        of_text = encoded.sequence_ids(0)
        spans = [
            None if number is None else (number, int(start), int(end))
            for number, (start, end) in zip(of_text, places[0].tolist(), strict=True)
        ]
    notes = [f"The text has {whole:,} tokens; the first {most:,} are looked at."] if whole > most else []
    inputs = {name: tensor.to(loaded.device.kind) for name, tensor in encoded.items()}
    return EncodedRow(inputs, special, tuple(spans)), notes


class Explainer:
    """Explains one logit of one row."""

    def __init__(
        self, loaded: LoadedModel, task: Task, row: EncodedRow, target: str | None, stop: Event | None
    ) -> None:
        import torch

        assert task.find_target is not None
        self.loaded, self.row, self.stop = loaded, row, stop
        with torch.no_grad():
            logits = loaded.model(**row.inputs).logits[0].float().cpu()
        self.target = task.find_target(loaded, logits, row.ids[0].tolist(), target)
        self.logit = float(logits[self.target.index])

    def integrate(self) -> tuple[list[float], float, int]:
        """Return the integrated gradients of the tokens' vectors, the logit that they begin from, and the steps."""
        from captum.attr import IntegratedGradients

        if "inputs_embeds" not in inspect.signature(self.loaded.model.forward).parameters:
            raise DemoError(
                f"{type(self.loaded.model).__name__} takes no vectors in the place of its tokens, so its gradients "
                "can't be followed to them. Take leave_one_out."
            )
        embed = self.loaded.model.get_input_embeddings()
        vectors = embed(self.row.ids).detach()
        words = ~self.row.ids.new_tensor(self.row.special, dtype=bool)
        blank = vectors.where(~words[:, None], self._blank_vector(embed))
        explainer, steps = IntegratedGradients(self._score_vectors), FIRST_STEPS
        baseline = float(self._score_vectors(blank).detach())
        at_once = max(1, _TOKENS_A_PASS // len(self.row.special))
        while True:
            found = explainer.attribute(
                vectors, blank, n_steps=steps, method="gausslegendre", internal_batch_size=at_once
            )
            scores = found.sum(-1)[0].float().tolist()
            difference = self.logit - baseline
            if steps >= MOST_STEPS or abs(sum(scores) - difference) <= TOLERANCE / 2 * abs(difference):
                return scores, baseline, steps
            steps *= 2

    def _blank_vector(self, embed: Any) -> Any:
        """Return the vector that stands for no word: of padding, or of what is unknown or ends a text.

        One of zeros is none of them: a norm divides by its length, and the way from it is too steep to follow.
        """
        tokenizer = self.loaded.tokenizer
        for token in (tokenizer.pad_token_id, tokenizer.unk_token_id, tokenizer.eos_token_id):
            if token is not None and token < embed.num_embeddings:
                vector = embed(self.row.ids.new_tensor(token)).detach()
                if vector.abs().max() > 0:
                    return vector
        return embed.weight.detach().mean(0)

    def leave_out(self) -> tuple[list[float], None, int]:
        """Return what the logit loses with each token that is no special one."""
        import torch

        count = len(self.row.special)
        words = [place for place in range(count) if not self.row.special[place]]
        scores = [0.0] * count
        at_once = max(1, _TOKENS_A_PASS // count)
        for begin in range(0, len(words), at_once):
            part = words[begin : begin + at_once]
            kept = [[place for place in range(count) if place != gone] for gone in part]
            inputs = {
                name: torch.cat([tensor[:, places] for places in kept]) for name, tensor in self.row.inputs.items()
            }
            with torch.no_grad():
                logits = self._forward(**inputs).logits
            for row, gone in enumerate(part):
                index = self._index_without(gone, count)
                scores[gone] = 0.0 if index is None else self.logit - float(logits[row][index])
        return scores, None, len(words)

    def _index_without(self, gone: int, count: int) -> tuple[int, ...] | None:
        """Return where the target stands in a row without one token; None where it is that token's own."""
        place, *rest = self.target.index
        if not rest:
            return self.target.index
        if place == gone and place < count - 1:
            return None
        return (place - (gone <= place), *rest)

    def _score_vectors(self, vectors: Any) -> Any:
        """Return the target's logit for each row of `vectors` [rows, tokens, width]."""
        others = {name: tensor for name, tensor in self.row.inputs.items() if name != "input_ids"}
        rows = {name: tensor.expand(len(vectors), *tensor.shape[1:]) for name, tensor in others.items()}
        logits = self._forward(inputs_embeds=vectors, **rows).logits
        return logits[(slice(None), *self.target.index)].float()

    def _forward(self, **inputs: Any) -> Any:
        if self.stop is not None and self.stop.is_set():
            raise Stopped
        return self.loaded.model(**inputs)


#: a method is a row: its name, and what returns the scores, the logit that they begin from if any, and the steps
METHODS: Mapping[str, Callable[[Explainer], tuple[list[float], float | None, int]]] = MappingProxyType(
    {"integrated_gradients": Explainer.integrate, "leave_one_out": Explainer.leave_out}
)
