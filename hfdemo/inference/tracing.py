"""Hooks on a running model: its seconds, its tensors and its tokens, and how it is stopped."""

from __future__ import annotations

import inspect
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Event
from typing import Any

from hfdemo.errors import Stopped

TOP_TOKENS = 5
ROUNDS = 32  # as many pieces of a long recording are written down one after the other


@dataclass(frozen=True)
class TokenProbability:
    """One generated token: its probability among all, the entropy of that distribution in bits, the likeliest few."""

    token: str
    probability: float
    entropy: float
    top: tuple[tuple[str, float], ...]


class Tracer:
    """A context in which every forward pass and every `generate` of one model is seen.

    `inputs` and `outputs` are the tensors of the first forward pass, on the CPU; `forward_seconds` is the time inside
    the model, `after_seconds` the time from its last return to the end. While it generates, `on_token(text,
    probabilities)` gets all text and token probabilities so far after each token, and setting `stop` ends it within one
    token, with what it has. Where nothing is generated, `stop` raises Stopped before the next forward pass.
    After `most_tokens` it ends as well; in all of its calls together, after ROUNDS times as many steps.
    `drew_random` says whether the model drew random numbers, `was_stopped` whether `stop` ended it early,
    `was_limited` whether the number of tokens did.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        stop: Event | None = None,
        on_token: Callable[[str, Sequence[TokenProbability]], None] | None = None,
        *,
        keep_probabilities: bool = True,
        most_tokens: int | None = None,
    ) -> None:
        self._model, self._tokenizer, self._stop, self._on_token = model, tokenizer, stop, on_token
        self._keeps_probabilities = keep_probabilities
        self._most_tokens = most_tokens or sys.maxsize
        self._steps = 0
        self.inputs: dict[str, Any] = {}
        self.outputs: dict[str, Any] = {}
        self.token_probabilities: list[TokenProbability] = []
        self.tokens = 0
        self.forward_seconds = 0.0
        self.drew_random = False
        self.was_stopped = False
        self.was_limited = False
        self._generating = False
        self._logits: Any = None

    def __enter__(self) -> Tracer:
        self._started = self._last = time.perf_counter()
        self._hooks = (
            self._model.register_forward_pre_hook(self._before_forward, with_kwargs=True),
            self._model.register_forward_hook(self._after_forward, with_kwargs=True),
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

    def _before_forward(self, _: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        if self._generating:
            if not self.inputs:
                self.inputs = _copy_tensors(self._arguments_by_name(args, kwargs))
            return
        if self._stop is not None and self._stop.is_set():
            raise Stopped
        if not self.inputs:
            self.inputs = _copy_tensors(self._arguments_by_name(args, kwargs))
        self._start_clock()

    def _after_forward(self, _: Any, __: Any, ___: Any, output: Any) -> None:
        found = output if isinstance(output, Mapping) else {}
        if not self.outputs:
            self.outputs = _copy_tensors(found)
        if self._generating:
            self._logits = found.get("logits")
            return
        self._stop_clock()

    def _start_clock(self) -> None:
        self._random = _get_random_state(self._model)
        self._began = time.perf_counter()

    def _stop_clock(self) -> None:
        _synchronize(self._model)
        self._last = time.perf_counter()
        self.forward_seconds += self._last - self._began
        self.drew_random = self.drew_random or not self._random.equal(_get_random_state(self._model))

    def _arguments_by_name(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Return all arguments of a forward pass by name."""
        names = inspect.signature(self._model.forward).parameters
        return {**dict(zip(names, args, strict=False)), **kwargs}

    def _generate(self, *args: Any, **kwargs: Any) -> Any:
        """Generate in the place of `model.generate` while this context lasts."""
        generate = type(self._model).generate.__get__(self._model)
        if self._stop is not None and self._stop.is_set():
            raise Stopped
        # A few models (SpeechT5) have a generate of their own that knows no criteria.
        if _accepts_argument(generate, "stopping_criteria"):
            kwargs["stopping_criteria"] = [*(kwargs.get("stopping_criteria") or []), self._stopping_criterion()]
        if not self.inputs:  # what an encoder reads never reaches the model's own forward
            self.inputs = _copy_tensors({**dict(zip([self._model.main_input_name], args, strict=False)), **kwargs})
        self._start_clock()
        self._generating = True
        try:
            return generate(*args, **kwargs)
        finally:
            self._generating = False
            self._stop_clock()

    def _stopping_criterion(self) -> Any:
        """Return a stopping criterion that sees each token as it is made, and says whether to go on."""
        import torch
        from transformers import StoppingCriteria

        tracer, prompt = self, None

        class OnEachToken(StoppingCriteria):
            def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
                nonlocal prompt
                if prompt is None:
                    prompt = input_ids.shape[-1] - 1
                tracer._on_tokens(input_ids[:, prompt:])
                return torch.full(
                    (input_ids.shape[0],), tracer._has_to_end(), dtype=torch.bool, device=input_ids.device
                )

        return OnEachToken()

    def _has_to_end(self) -> bool:
        """Return whether the token that has just been made is the last; what a checkpoint asks for does not count."""
        self._steps += 1
        self.was_stopped = self._stop is not None and self._stop.is_set()
        most = self._most_tokens
        self.was_limited = self.was_limited or self.tokens >= most or self._steps >= ROUNDS * most
        return self.was_stopped or self.tokens >= most or self._steps >= ROUNDS * most

    def _on_tokens(self, new: Any) -> None:
        """Take in `new` [beams, tokens so far]: the first beam is the one that is shown."""
        self.tokens = new.shape[-1]
        if self._tokenizer is None or new.ndim != 2:
            return
        if self._keeps_probabilities and len(new) == 1 and self._logits is not None and self._logits.ndim == 3:
            self.token_probabilities.append(self._probability_of(self._logits[0, -1], int(new[0, -1])))
        if self._on_token is not None:
            self._on_token(self._tokenizer.decode(new[0], skip_special_tokens=True), self.token_probabilities)

    def _probability_of(self, logits: Any, token: int) -> TokenProbability:
        probabilities = logits.float().softmax(-1)
        entropy = -(probabilities * probabilities.clamp_min(1e-30).log2()).sum()
        values, ids = probabilities.topk(min(TOP_TOKENS, len(probabilities)))
        names = [self._tokenizer.decode([each]) for each in ids.tolist()]
        top = tuple(zip(names, values.tolist(), strict=True))
        return TokenProbability(self._tokenizer.decode([token]), float(probabilities[token]), float(entropy), top)


def _accepts_argument(function: Any, name: str) -> bool:
    parameters = inspect.signature(function).parameters
    return name in parameters or any(each.kind is each.VAR_KEYWORD for each in parameters.values())


def _copy_tensors(values: Mapping[str, Any]) -> dict[str, Any]:
    """Copy what of `values` is a tensor to the CPU: a model may change its arguments in place."""
    return {name: value.detach().cpu().clone() for name, value in values.items() if hasattr(value, "detach")}


def _get_random_state(model: Any) -> Any:
    """Return the state of the random generator that `model` draws from."""
    import torch

    if model.device.type == "cpu":
        return torch.get_rng_state()
    return torch.get_device_module(model.device).get_rng_state()


def _synchronize(model: Any) -> None:
    """Wait for an accelerator, which answers before it is done."""
    import torch

    if model.device.type != "cpu":
        torch.accelerator.synchronize()
