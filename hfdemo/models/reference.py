"""What a person types as "model", read into one of six sources."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

from hfdemo.errors import ModelError

Source = Literal["hub", "folder", "untrained", "run", "embedded", "tokenizer"]

EMBEDDED = ("minilm", "sentiment")
# Architectures without weights, small enough to be tried at once: they make sense behind `untrained:` alone.
UNTRAINED = (
    *("tiny-llama", "tiny-bart", "tiny-tapas", "tiny-layoutlm", "tiny-vit", "tiny-detr", "tiny-segformer"),
    *("tiny-sam", "tiny-glpn", "tiny-superglue", "tiny-swin2sr", "tiny-videomae", "tiny-clip", "tiny-owlvit"),
    *("tiny-vilt", "tiny-llava", "tiny-qwen2-audio", "tiny-wav2vec2", "tiny-clap", "tiny-vits"),
)
BUILT_IN_TOKENIZERS = ("wordpiece", "bpe", "unigram", "bytes")
TRAINED_TOKENIZER = re.compile(r"(?:wordpiece|bpe|unigram|like|file)-[0-9a-f]{12}")

_HUB_ID = re.compile(r"(?:[A-Za-z0-9][\w.-]*/)?[A-Za-z0-9][\w.-]*")
_REVISION = re.compile(r"[\w][\w.-]*(?:/[\w][\w.-]*)*")

LONGEST = 4_096  # what the system takes as a path
_NO_NAME = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

KINDS = (
    "a Hub id (`owner/name`, `bert-base-uncased`, either with `@revision`), a folder (`/…`, `./…` or `~…`), "
    "`run:<id>`, `embedded:minilm`, `embedded:sentiment`, or `untrained:<any of these, or a config.json>`; "
    "a tokenizer alone is `tokenizer:wordpiece`, `tokenizer:bpe`, `tokenizer:unigram` or `tokenizer:bytes`"
)


def is_run_id(text: Any) -> bool:
    """Return whether `text` can be the id of a run or a search: the name of its folder, and never a path."""
    return isinstance(text, str) and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,199}", text) is not None


@dataclass(frozen=True)
class ModelRef:
    """Where a model comes from; `str(ref)` is the canonical spelling and parses back to an equal value.

    `name` is the Hub id, the path as typed, the run id or the name after the colon; for `untrained` it is the
    reference whose architecture is taken. A `tokenizer` is no model: see `check_is_model`.
    """

    source: Source
    name: str
    revision: str | None = None

    @classmethod
    def parse(cls, text: Any) -> ModelRef:
        """Read what a person typed, or a client sent.

        Raises:
            ModelError: empty, or none of the six kinds; the message says which kinds there are.
        """
        if text is not None and not isinstance(text, str):
            raise ModelError(f"A model reference must be text, but a {type(text).__name__} was sent. Name {KINDS}.")
        text = (text or "").strip()
        if not text:
            raise ModelError(f"No model was given. Name {KINDS}.")
        if len(text) > LONGEST or _NO_NAME.search(text):
            raise ModelError(
                f"{text[:80]!r} is not a model reference: one is at most {LONGEST:,} characters, none of them a line "
                f"break, a control character or half a surrogate pair. Name {KINDS}."
            )
        scheme, colon, rest = text.partition(":")
        if colon and scheme == "untrained":
            named = ModelRef.parse(rest)
            if named.source == "untrained":
                raise ModelError(f"{text!r} says `untrained:` twice. Once is enough.")
            named.check_is_model()
            return cls("untrained", str(named))
        if colon and scheme == "run":
            if not is_run_id(rest):
                raise ModelError(f"{rest!r} is not a run id. A run id looks like the ones in the Fine-tune tab.")
            return cls("run", rest)
        if colon and scheme == "embedded":
            if rest not in (*EMBEDDED, *UNTRAINED):
                raise ModelError(
                    f"There is no embedded model {rest!r}. There are: {', '.join(EMBEDDED)}; and behind "
                    f"`untrained:` the architectures {', '.join(UNTRAINED)}."
                )
            return cls("embedded", rest)
        if colon and scheme == "tokenizer":
            if rest not in BUILT_IN_TOKENIZERS and not TRAINED_TOKENIZER.fullmatch(rest):
                raise ModelError(
                    f"There is no tokenizer {rest!r}. There are: {', '.join(BUILT_IN_TOKENIZERS)}, and those that "
                    "were trained from a file, named like bpe-0123456789ab."
                )
            return cls("tokenizer", rest)
        if text.startswith(("/", "./", "../", "~")):
            return cls("folder", text)
        name, at, revision = text.partition("@")
        # Both end up in paths of the cache, and the Hub itself refuses what is refused here.
        refused = (
            ".." in text or "--" in name or name.endswith((".", "-", ".git")) or len(name) > 96 or len(revision) > 200
        )
        if refused or not _HUB_ID.fullmatch(name) or (at and not _REVISION.fullmatch(revision)):
            raise ModelError(f"{text!r} is not a model reference. Name {KINDS}.")
        return cls("hub", name, revision or None)

    @property
    def origin(self) -> ModelRef:
        """The reference whose files are read: for `untrained:x` it is x, else the reference itself."""
        return ModelRef.parse(self.name) if self.source == "untrained" else self

    def check_is_model(self) -> None:
        """Make sure that this can name a model.

        Raises:
            ModelError: it is a `tokenizer:<name>`.
        """
        if self.source == "tokenizer":
            raise ModelError(
                f"{self} is a tokenizer, not a model: it has no architecture and no weights. "
                "Pick a model here, embedded:minilm for instance."
            )

    def __str__(self) -> str:
        if self.source == "hub":
            return f"{self.name}@{self.revision}" if self.revision else self.name
        return self.name if self.source == "folder" else f"{self.source}:{self.name}"
