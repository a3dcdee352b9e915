"""What became of a checkpoint's weights, in plain words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LoadReport:
    """What happened to the weights: parameters made up on the spot, left over, or of the wrong shape.

    `lost` counts tensors of an adapter that found no layer here: what they learned is not in the model.
    """

    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    mismatched: tuple[str, ...] = ()
    untrained: bool = False
    adapter: bool = False
    lost: int = 0

    @property
    def trustworthy(self) -> bool:
        """False when part of what the model computes with is random."""
        return not (self.untrained or self.missing or self.mismatched or self.lost)

    def __str__(self) -> str:
        if self.untrained:
            return "Every weight is random: only the architecture was taken. The output is noise until it is trained."
        said = []
        if self.adapter:
            lost = f", but {self.lost} of its tensors fit nowhere: use it for its own task" if self.lost else ""
            said.append(f"A LoRA adapter was merged into its base model{lost}.")
        made_up = self.missing + self.mismatched
        if made_up:
            were = "weight was" if len(made_up) == 1 else "weights were"
            said.append(
                f"{len(made_up)} {were} newly initialised: {_listed(made_up)}. Train it before you trust the output."
            )
        else:
            said.append("Every weight came from the checkpoint.")
        if self.unexpected:
            said.append(f"{len(self.unexpected)} in the checkpoint had no place here: {_listed(self.unexpected)}.")
        return " ".join(said)


def _listed(names: tuple[str, ...], shown: int = 4) -> str:
    rest = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + rest
