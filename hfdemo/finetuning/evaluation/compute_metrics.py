"""The metrics of a run: the scores of its kind, further evaluate modules, and the one that picks the best checkpoint.

Our own module loads from the disk with no network.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hfdemo.errors import DemoError, ModelError
from hfdemo.finetuning.arguments import evaluates
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.kinds import KINDS, LOWER_IS_BETTER, Evaluator, Kind
from hfdemo.models.folders import expand_path
from hfdemo.models.hub import hub_info
from hfdemo.models.reference import ModelRef
from hfdemo.settings import Settings, child_environment

MODULE = Path(__file__).with_name("scores_module.py")
# That a trial of further metrics may take: libraries are imported, and a module may come from the Hub.
TRIAL_SECONDS = 60.0
_METRIC_ID = re.compile(r"(?:[A-Za-z0-9][\w.-]*/)?[A-Za-z0-9][\w.-]*")


def check_extra(names: Sequence[str], public: bool) -> None:
    """Refuse, within seconds and before anything starts, further metrics that can't be had here.

    A name is a path (`/…`, `./…` or `~…`) of an evaluate module, a .py file or the folder that holds one of its own
    name, or an id on the Hub (`accuracy`, `owner/name`). Either is Python code that runs with all the rights of this
    program: name only what you trust. A public server runs nobody's code, so it takes none.

    Raises:
        DemoError: this is a public server, there is no such file, or the Hub can't be reached.
    """
    for name in names:
        if public:
            raise DemoError(
                f"The metric {name!r} is a program, and this is a shared server that runs nobody's programs. "
                "Leave `metrics` empty here, or run the app on your own machine."
            )
        if _is_path(name):
            _script(name)
        elif not _METRIC_ID.fullmatch(name) or ".." in name:
            raise DemoError(
                f"{name!r} is no metric. Give the id of one on the Hub (`accuracy`, `owner/name`) "
                "or a path (`/…`, `./…` or `~…`)."
            )
    on_the_hub = [name for name in names if not _is_path(name)]
    if on_the_hub and not _hub_answers():
        raise DemoError(
            f"The metric {on_the_hub[0]!r} is on the Hub, which can't be reached from here right now. Leave it out, "
            "or give the path of a copy on this machine."
        )


def check_metrics_fit(extra: Sequence[str], evaluator: Evaluator) -> None:
    """Refuse further metrics where none can score what is trained.

    Raises:
        DemoError: there are some.
    """
    if extra and (evaluator.to_module_inputs is None or evaluator.perfect_inputs is None):
        raise DemoError(f"{extra[0]!r} can't be computed here: {evaluator.why_no_modules}. Leave `metrics` empty.")


@dataclass(frozen=True)
class ComputeMetrics:
    """compute_metrics for a Trainer; `extra` are the names of what is computed beside the scores of our own."""

    compute: Callable[[Any], dict[str, float]]
    extra: tuple[str, ...] = ()

    def __call__(self, prediction: Any) -> dict[str, float]:
        return self.compute(prediction)


def make_compute_metrics(
    kind: Kind, labels: Sequence[str], positive_label: str | None, extra: Sequence[str] = ()
) -> ComputeMetrics:
    """Make compute_metrics for a Trainer: the scores of `kind`, and those of the `extra` evaluate modules beside them.

    The extra modules are tried at once on a handful of perfect answers, so that one that does not fit is known before
    training.

    Raises:
        DemoError: an extra module can't be loaded, or can't score this kind of answer.
    """
    import evaluate

    evaluator = kind.evaluator
    own = evaluate.load(str(MODULE), kind.name, keep_in_memory=True, labels=list(labels), positive=positive_label)
    check_metrics_fit(extra, evaluator)
    check_extra(extra, public=False)
    combined = evaluate.combine([_load(name) for name in extra]) if extra else None
    tried: Mapping[str, Any] = {}
    if combined is not None and evaluator.perfect_inputs is not None:
        perfect = evaluator.perfect_inputs(labels)
        tried = _compute(combined, extra, perfect, perfect)

    def compute(prediction: Any) -> dict[str, float]:
        logits, label_ids = prediction.predictions, prediction.label_ids
        predictions, references = evaluator.to_inputs(logits, label_ids, labels)
        found: dict[str, float] = own.compute(predictions=predictions, references=references)
        if combined is None or evaluator.to_module_inputs is None:
            return found
        return add_scores(found, _compute(combined, extra, *evaluator.to_module_inputs(logits, label_ids, labels)))

    return ComputeMetrics(compute, tuple(add_scores({}, tried)))


def try_metrics(kind: Kind, labels: Sequence[str], names: Sequence[str], settings: Settings) -> tuple[str, ...] | None:
    """Return what the further metrics `names` compute for `kind`; None where that was not known in time.

    They are tried in a process of their own: it is a program of somebody, which may hang, or end the process it is in.

    Raises:
        DemoError: one of them can't be loaded, or can't score this kind of answer.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-m", "hfdemo.finetuning.evaluation.compute_metrics"],
            input=json.dumps({"kind": kind.name, "labels": [*labels], "names": [*names]}),
            capture_output=True,
            text=True,
            env=child_environment(settings),
            timeout=TRIAL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None
    if done.returncode or not done.stdout:
        code = done.returncode
        raise DemoError(
            f"{', '.join(names)} ended the process that tried it (exit code {code}). Mend it, or leave it out."
        )
    answer = json.loads(done.stdout.splitlines()[-1])
    if answer["refusal"]:
        raise DemoError(str(answer["refusal"]))
    return tuple(answer["computed"])


def main() -> None:
    """Read a trial of further metrics from stdin, and write what they compute, or why not, to stdout."""
    asked = json.load(sys.stdin)
    computed: tuple[str, ...] = ()
    refusal = ""
    try:
        with contextlib.redirect_stdout(sys.stderr):
            computed = make_compute_metrics(KINDS[asked["kind"]], asked["labels"], None, asked["names"]).extra
    except DemoError as error:
        refusal = str(error)
    print(json.dumps({"computed": computed, "refusal": refusal}))


def add_scores(own: Mapping[str, float], extra: Mapping[str, Any]) -> dict[str, float]:
    """Return the `own` scores and the numbers among the `extra` ones; one whose name is taken gets `extra_` before it.

    train.py carries the source.
    """
    import numpy as np

    numbers = {name: np.asarray(value) for name, value in extra.items()}
    numbers = {name: value for name, value in numbers.items() if value.ndim == 0 and value.dtype.kind in "biuf"}
    return {**own, **{f"extra_{name}" if name in own else name: float(value) for name, value in numbers.items()}}


def selection_metric(config: RunConfig, evaluator: Evaluator) -> tuple[str, bool]:
    """Return the metric that is to be best, the one asked for or else the task's own, and whether higher is better."""
    named, greater = (config.training.get(name) for name in ("metric_for_best_model", "greater_is_better"))
    if named is None:
        return evaluator.selection, evaluator.greater_is_better
    name = str(named).removeprefix("eval_")
    return name, name not in LOWER_IS_BETTER if greater is None else bool(greater)


def check_selection_metric(config: RunConfig, evaluator: Evaluator, extra: Sequence[str] = ()) -> None:
    """Refuse a metric to be best in that nothing computes; `extra` are the scores of the config's further metrics.

    Raises:
        DemoError: there is no metric of that name.
    """
    name, _ = selection_metric(config, evaluator)
    known = ("loss", *evaluator.names, *(f"extra_{each}" if each in evaluator.names else each for each in extra))
    if evaluates(config.training) and name not in known:
        raise DemoError(f"metric_for_best_model is {name!r}, but the metrics are {', '.join(known)}. Pick one.")


def score_metric_source() -> str:
    """Return the source of ScoreMetric, without importing evaluate, which takes seconds."""
    source = Path(__file__).with_name("score_metric.py").read_text(encoding="utf-8")
    return source[source.index("class ScoreMetric") :].rstrip()


def module_path(name: str) -> str:
    """Return what evaluate.load takes for the further metric `name`."""
    return str(_script(name)) if _is_path(name) else name


def find_metric_files(names: Sequence[str]) -> list[Path]:
    """Return the files of those of the further metrics that are on this machine.

    Raises:
        DemoError: there is no such file.
    """
    return [_script(name) for name in names if _is_path(name)]


def _is_path(name: str) -> bool:
    return name.startswith(("/", "./", "../", "~")) or name.endswith(".py")


def _script(name: str) -> Path:
    path = (expand_path(name) or Path(name[:80])).absolute()
    script = path if path.suffix == ".py" else path / f"{path.name}.py"
    if not script.is_file():
        raise DemoError(
            f"There is no metric at {name!r}: {script} does not exist. Give the path of an evaluate module, "
            "a .py file or the folder that holds one of its own name."
        )
    return script


def _hub_answers() -> bool:
    """Return whether the Hub says anything within two seconds; that there is no such model will do."""
    try:
        return hub_info(ModelRef("hub", "evaluate-metric/accuracy"), public=False) is not None
    except ModelError:
        return True


def _load(name: str) -> Any:
    import evaluate

    try:
        return evaluate.load(module_path(name), keep_in_memory=True)
    except Exception as error:  # whatever the code of others raises
        raise DemoError(f"The metric {name!r} can't be loaded: {_words(error)} Mend it, or leave it out.") from error


def _compute(combined: Any, names: Sequence[str], predictions: Any, references: Any) -> Mapping[str, Any]:
    try:
        found: Mapping[str, Any] = combined.compute(predictions=predictions, references=references)
    except Exception as error:  # whatever the code of others raises
        raise DemoError(
            f"{', '.join(names)} can't be computed on these predictions: {_words(error)} Leave out what does not fit."
        ) from error
    return found


def _words(error: Exception) -> str:
    said = " ".join(str(error).split())[:300] or type(error).__name__
    return said if said.endswith((".", "!", "?")) else f"{said}."


if __name__ == "__main__":
    main()
