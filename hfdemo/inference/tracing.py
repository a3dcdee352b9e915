"""What a model does while it runs: its seconds, its tensors and its tokens, and the hand on the brake."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Event
from typing import Any

from hfdemo.errors import Stopped

ODDS_SHOWN = 5


@dataclass(frozen=True)
class Odds:
    """One generated token: its probability among all, the entropy of that distribution in bits, the likeliest few."""

    token: str
    probability: float
    entropy: float
    top: tuple[tuple[str, float], ...]


class Watch:
    """A context in which every forward pass and every `generate` of one model is seen.

    `inputs` and `outputs` are the tensors of the first forward pass, on the CPU; `forward_seconds` is the time inside
    the model, `after_seconds` the time from its last return to the end. While it generates, `told(text, odds)` hears
    all text and odds so far after each token, and setting `stop` ends it within one token, with what it has. Where
    nothing is generated, `stop` raises Stopped before the next forward pass. `drawn` says whether the model drew random
    numbers, `cut` whether `stop` ended it early.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        stop: Event | None = None,
        told: Callable[[str, Sequence[Odds]], None] | None = None,
        *,
        odds: bool = True,
    ) -> None:
        self._model, self._tokenizer, self._stop, self._told = model, tokenizer, stop, told
        self._keeps_odds = odds
        self.inputs: dict[str, Any] = {}
        self.outputs: dict[str, Any] = {}
        self.odds: list[Odds] = []
        self.tokens = 0
        self.forward_seconds = 0.0
        self.drawn = False
        self.cut = False
        self._generating = False
        self._logits: Any = None

    def __enter__(self) -> Watch:
        self._started = self._last = time.perf_counter()
        self._hooks = (
            self._model.register_forward_pre_hook(self._before, with_kwargs=True),
            self._model.register_forward_hook(self._after, with_kwargs=True),
        )
        if hasattr(self._model, "generate"):
            self._model.generate = self._generate
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._started
        self.after_seconds = time.perf_counter() - self._last
        for hook in self._hooks:
            hook.remove()
        vars(self._model).pop("generate", None)

    @property
    def timings(self) -> dict[str, float]:
        """Seconds of preprocess (what lies between two passes as well), forward, postprocess, and of run, their sum."""
        return {
            "preprocess": self.seconds - self.forward_seconds - self.after_seconds,
            "forward": self.forward_seconds,
            "postprocess": self.after_seconds,
            "run": self.seconds,
        }

    def _before(self, _: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        if self._generating:
            if not self.inputs:
                self.inputs = _tensors(self._named(args, kwargs))
            return
        if self._stop is not None and self._stop.is_set():
            raise Stopped
        if not self.inputs:
            self.inputs = _tensors(self._named(args, kwargs))
        self._begin()

    def _after(self, _: Any, __: Any, ___: Any, output: Any) -> None:
        found = output if isinstance(output, Mapping) else {}
        if not self.outputs:
            self.outputs = _tensors(found)
        if self._generating:
            self._logits = found.get("logits")
            return
        self._end()

    def _begin(self) -> None:
        self._random = _random_state(self._model)
        self._began = time.perf_counter()

    def _end(self) -> None:
        _synchronize(self._model)
        self._last = time.perf_counter()
        self.forward_seconds += self._last - self._began
        self.drawn = self.drawn or not self._random.equal(_random_state(self._model))

    def _named(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """All arguments of a forward pass by name."""
        names = inspect.signature(self._model.forward).parameters
        return {**dict(zip(names, args, strict=False)), **kwargs}

    def _generate(self, *args: Any, **kwargs: Any) -> Any:
        """In the place of `model.generate` while this context lasts."""
        generate = type(self._model).generate.__get__(self._model)
        if self._stop is not None and self._stop.is_set():
            raise Stopped
        # A few models (SpeechT5) have a generate of their own that knows no criteria.
        if _takes(generate, "stopping_criteria"):
            kwargs["stopping_criteria"] = [*(kwargs.get("stopping_criteria") or []), self._follower()]
        if not self.inputs:  # what an encoder reads never reaches the model's own forward
            self.inputs = _tensors({**dict(zip([self._model.main_input_name], args, strict=False)), **kwargs})
        self._begin()
        self._generating = True
        try:
            return generate(*args, **kwargs)
        finally:
            self._generating = False
            self._end()

    def _follower(self) -> Any:
        """A stopping criterion: it sees each token as it is made, and says whether to go on."""
        import torch
        from transformers import StoppingCriteria

        watch, prompt = self, None

        class Follower(StoppingCriteria):
            def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
                nonlocal prompt
                if prompt is None:
                    prompt = input_ids.shape[-1] - 1
                watch._seen(input_ids[:, prompt:])
                watch.cut = watch._stop is not None and watch._stop.is_set()
                return torch.full((input_ids.shape[0],), watch.cut, dtype=torch.bool, device=input_ids.device)

        return Follower()

    def _seen(self, new: Any) -> None:
        """`new` [beams, tokens so far]: the first beam is the one that is shown."""
        self.tokens = new.shape[-1]
        if self._tokenizer is None or new.ndim != 2:
            return
        if self._keeps_odds and len(new) == 1 and self._logits is not None and self._logits.ndim == 3:
            self.odds.append(self._odds(self._logits[0, -1], int(new[0, -1])))
        if self._told is not None:
            self._told(self._tokenizer.decode(new[0], skip_special_tokens=True), self.odds)

    def _odds(self, logits: Any, token: int) -> Odds:
        probabilities = logits.float().softmax(-1)
        entropy = -(probabilities * probabilities.clamp_min(1e-30).log2()).sum()
        values, ids = probabilities.topk(min(ODDS_SHOWN, len(probabilities)))
        names = [self._tokenizer.decode([each]) for each in ids.tolist()]
        top = tuple(zip(names, values.tolist(), strict=True))
        return Odds(self._tokenizer.decode([token]), float(probabilities[token]), float(entropy), top)


def _takes(function: Any, name: str) -> bool:
    parameters = inspect.signature(function).parameters
    return name in parameters or any(each.kind is each.VAR_KEYWORD for each in parameters.values())


def _tensors(values: Mapping[str, Any]) -> dict[str, Any]:
    """What of `values` is a tensor, copied to the CPU: a model may change its arguments in place."""
    return {name: value.detach().cpu().clone() for name, value in values.items() if hasattr(value, "detach")}


def _random_state(model: Any) -> Any:
    """The state of the random generator that `model` draws from."""
    import torch

    if model.device.type == "cpu":
        return torch.get_rng_state()
    return torch.get_device_module(model.device).get_rng_state()


def _synchronize(model: Any) -> None:
    """An accelerator answers before it is done; a clock must wait for it."""
    import torch

    if model.device.type != "cpu":
        torch.accelerator.synchronize()
