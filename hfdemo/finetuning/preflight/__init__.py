"""Every reason to refuse a run, or to warn of it, as one list that all who start runs ask.

slow_checks  what of models and further metrics is found out by trying, and remembered
limits       what a run may take of the disk, and of a shared server
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from hfdemo.devices import find_device
from hfdemo.errors import DataError, DemoError, RunError
from hfdemo.finetuning.arguments import Method
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.dataset import Prepared
from hfdemo.finetuning.dataset.columns import Columns
from hfdemo.finetuning.dataset.findings import Finding, refuse, warn
from hfdemo.finetuning.evaluation.compute_metrics import (
    check_extra,
    check_metrics_fit,
    check_selection_metric,
)
from hfdemo.finetuning.kinds import Kind, find_kind
from hfdemo.finetuning.launcher import check_accelerate, check_processes
from hfdemo.finetuning.preflight import limits
from hfdemo.finetuning.preflight.limits import estimate_run_bytes
from hfdemo.finetuning.preflight.slow_checks import SlowChecks
from hfdemo.finetuning.training.checkpoints import check_space
from hfdemo.finetuning.training.class_weights import check_weights
from hfdemo.models.folders import expand_path
from hfdemo.ownership import DiskUse
from hfdemo.settings import Settings

__all__ = ["MOST_STEPS", "Preflight", "RunData", "SlowChecks", "preflight"]

MOST_STEPS = 10_000_000  # weeks of the smallest model
# Above these a learning rate is most likely a slip; the usual ones are fifty times lower and more.
_HIGH_RATE: Mapping[Method, float] = MappingProxyType({"full": 1e-2, "lora": 1e-1, "frozen": 1e-1})


@dataclass(frozen=True)
class RunData:
    """What a run's data comes to: (split, rows) of its splits, what was chosen, and its size in characters. The
    `usual_fixes` were made unasked.

    `refusal` is the sentence with which a run on it is refused; "" where it is not, and the rest is known.
    """

    split_rows: tuple[tuple[str, int], ...] = ()
    labels: tuple[str, ...] = ()
    positive_label: str | None = None
    problem_type: str | None = None
    columns: Columns | None = None
    characters: int = 0
    usual_fixes: tuple[str, ...] = ()
    refusal: str = ""

    @classmethod
    def of(cls, prepared: Prepared) -> RunData:
        """Return what the rows in `prepared` come to."""
        tables = prepared.splits.values()
        return cls(
            split_rows=tuple((name, len(table)) for name, table in prepared.splits.items()),
            labels=prepared.labels,
            positive_label=prepared.positive_label,
            problem_type=prepared.problem_type,
            columns=prepared.mapped,
            usual_fixes=prepared.usual_fixes,
            characters=sum(int(table[column].str.len().sum()) for table in tables for column in table),
        )

    @property
    def train_rows(self) -> int:
        return dict(self.split_rows).get("train", 0)

    @property
    def held_out_rows(self) -> int:
        return sum(rows for _, rows in self.split_rows) - self.train_rows


@dataclass(frozen=True)
class Preflight:
    """The findings on a config and its data, and the config with everything written out that they decide.

    `config` is None where a run is refused, or the data is not known; else `run_bytes` is the most that the run takes
    of the disk at a time.
    """

    findings: tuple[Finding, ...]
    config: RunConfig | None = None
    error: DemoError | None = None
    run_bytes: int = 0

    @property
    def warnings(self) -> list[str]:
        return [finding.problem for finding in self.findings if not finding.refuses]

    def check(self) -> None:
        """Raise the first refusal, if there is one.

        Raises:
            DemoError: a run of this config is refused.
        """
        if self.error is not None:
            raise self.error


def preflight(
    config: RunConfig,
    data: RunData | None,
    settings: Settings,
    slow_checks: SlowChecks,
    active_runs: int = 0,
    use: DiskUse | None = None,
) -> Preflight:
    """Find every reason to refuse a run of `config` on `data`, or to warn of it.

    Without `data` (None: not read yet) the reasons are those of the config alone. `active_runs` are those at work or
    waiting, `use` is what all runs and the like take of the disk: of both the settings may say how much there may be.
    """
    reasons = _Reasons()
    with reasons.refuse("task"):
        find_kind(config.task, config.problem_type)
    if settings.public:
        with reasons.refuse("public_limits"):
            limits.check_shared_fields(config)
        if reasons.error is not None:
            return reasons.result(None)  # what is refused here may name a file, and is not looked at
    reasons.refuse_config(config, settings)
    with reasons.refuse("model"):
        model_bytes = slow_checks.check_is_there(config.model)
    if data is not None and data.refusal:
        with reasons.refuse("data"):
            raise DataError(data.refusal)
    reasons.warn_of_rate(config)
    if reasons.error is not None or data is None:
        return reasons.result(None)
    with reasons.refuse("class_weights"):
        check_weights(config, find_kind(config.task, data.problem_type), data.labels)
    if reasons.error is not None:
        return reasons.result(None)
    filled = _fill_in(config, data)
    kind = find_kind(filled.task, filled.problem_type)
    with reasons.refuse("base_model"):
        slow_checks.check_can_be_trained(filled, kind)
    reasons.refuse_metrics(filled, kind, slow_checks)
    with reasons.refuse("steps"):
        _check_steps(filled, data.train_rows)
    if settings.public:
        with reasons.refuse("public_limits"):
            limits.check_shared(filled)
    with reasons.refuse("limits"):
        limits.check_work(filled, data.train_rows, data.held_out_rows, settings)
        limits.check_active(active_runs, settings)
    run_bytes = estimate_run_bytes(filled, data.characters, model_bytes, data.train_rows)
    with reasons.refuse("disk_space"):
        limits.check_use(use or DiskUse(), run_bytes, "This run", settings)
        check_space(settings.runs, run_bytes, "this run")
    return reasons.result(filled, run_bytes)


class _Reasons:
    """The findings as they are collected; the first that refuses is the error of them all."""

    def __init__(self) -> None:
        self.error: DemoError | None = None
        self._findings: list[Finding] = []

    @contextlib.contextmanager
    def refuse(self, code: str) -> Iterator[None]:
        """Take a DemoError that is raised within for a finding that refuses."""
        try:
            yield
        except DemoError as error:
            self.error = self.error or error
            self._findings.append(refuse(code, str(error)))

    def refuse_config(self, config: RunConfig, settings: Settings) -> None:
        """Refuse what no data could make right: fields, processes and files that are named."""
        device = find_device()
        with self.refuse("training"):
            config.check_training()
        with self.refuse("processes"):
            check_processes(config, device)
        with self.refuse("accelerate_config"):
            check_not_uploaded(config.accelerate_config or "", settings)
            check_accelerate(config, device, public=settings.public)
        with self.refuse("metrics"):
            for path in config.metrics:
                check_not_uploaded(path, settings)
            check_extra(config.metrics, settings.public)

    def refuse_metrics(self, config: RunConfig, kind: Kind, slow_checks: SlowChecks) -> None:
        """Refuse further metrics that can't be computed, and a metric to be best in that nothing computes."""
        computed: tuple[str, ...] | None = None if config.metrics else ()
        with self.refuse("metrics"):
            check_metrics_fit(config.metrics, kind.evaluator)
            if config.metrics and self.error is None:  # else they need not be tried
                computed = slow_checks.try_metrics(config, kind)
        with self.refuse("metric_for_best_model"):
            if computed is not None:
                check_selection_metric(config, kind.evaluator, computed)

    def warn_of_rate(self, config: RunConfig) -> None:
        """Warn of a learning rate that is most likely a slip, though it can be trained with."""
        rate = config.training.get("learning_rate")
        if isinstance(rate, int | float) and rate > _HIGH_RATE[config.method]:
            said = (
                f"A learning rate of {rate:g} is far above what trainings usually bear: most likely nothing is learned."
            )
            self._findings.append(warn("learning_rate", said))

    def result(self, config: RunConfig | None, run_bytes: int = 0) -> Preflight:
        return Preflight(tuple(self._findings), None if self.error else config, self.error, run_bytes)


def _fill_in(config: RunConfig, data: RunData) -> RunConfig:
    """Return `config` with everything written out that was suggested from the data."""
    picked = dataclasses.asdict(data.columns) if data.columns else {}
    columns: dict[str, Any] = {name: column or "" for name, column in picked.items()}
    filled = dataclasses.replace(
        config,
        **columns,
        labels=data.labels,
        positive_label=data.positive_label,
        problem_type=data.problem_type,
        fixes=(*config.fixes, *data.usual_fixes),
    )
    kind = find_kind(config.task, data.problem_type)
    return filled.with_training_defaults(data.train_rows, kind.learning_rate)


def _check_steps(config: RunConfig, train_rows: int) -> None:
    steps = config.steps(train_rows)
    if steps > MOST_STEPS:
        raise RunError(
            f"This run would take {steps:,} steps, which no machine gets through; at most {MOST_STEPS:,} are. Lower "
            "num_train_epochs or max_steps."
        )


def check_not_uploaded(path: str, settings: Settings) -> None:
    """Refuse a file that was sent to this server where one is meant that its owner has looked at: it is run as code.

    Raises:
        DemoError: `path` leads to an upload, by whatever way.
    """
    found = expand_path(path)
    if found is None:
        raise DemoError(f"{path[:200]!r} is no path on this machine. Give another.")
    if path and found.resolve().is_relative_to(settings.upload_folder.resolve()):
        raise DemoError(
            f"{path!r} was uploaded, and an upload is never run as code. Save the file in a folder of your own, look "
            "at what it does, and give that path."
        )
