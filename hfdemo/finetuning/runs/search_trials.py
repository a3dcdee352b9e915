"""The process of a search: trials chosen by Optuna, one after the other.

python -m hfdemo.finetuning.runs.search_trials SEARCH_DIR
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from hfdemo.atomic_files import write_atomically
from hfdemo.errors import DemoError, RunError
from hfdemo.finetuning.events import Evaluated, valid
from hfdemo.finetuning.runs import RunStore
from hfdemo.finetuning.runs.processes import process_identity
from hfdemo.finetuning.runs.run import Run
from hfdemo.finetuning.runs.search import Search, Space, Trial, TrialState
from hfdemo.finetuning.runs.stop_and_resume import duplicate, ensure_stopped
from hfdemo.settings import Settings

POLL_SECONDS = 0.5


class TrialRunner:
    """Does the trials of a search one after the other.

    The first has the config's own values, to which the others compare; from then on Optuna's TPE chooses from what it
    has seen, and a trial that is worse than the median of the others at the same step is ended early.
    """

    def __init__(self, search: Search, settings: Settings) -> None:
        import optuna

        self.search, self.runs = search, RunStore(settings)
        self.described = search.description
        self.space = Space(**self.described["space"])
        self.metric: str = self.described["metric"]
        self.sign = 1 if self.described["greater_is_better"] else -1
        self.first = self.runs.get(self.described["data"])
        self.study = optuna.create_study(
            direction="maximize",
            sampler=optuna.samplers.TPESampler(seed=self.described["seed"]),
            pruner=optuna.pruners.MedianPruner(n_startup_trials=4),
        )

    def run(self) -> None:
        """Do all trials, or as many as there were before somebody asked for the end."""
        own = self.first.config.training
        names = ("learning_rate", "per_device_train_batch_size", "num_train_epochs")
        if self.search.stop_asked():
            return
        value = self._follow(self.runs.start(self.first), 0, {name: own[name] for name in names if name in own})
        if value is not None and self.space.holds(own):
            self.study.add_trial(self._known_trial(own, value))
        if not self.search.stop_asked():
            self.study.optimize(self._try_values, n_trials=self.described["trials"] - 1)

    def _known_trial(self, training: Mapping[str, Any], value: float) -> Any:
        """Return a trial of the values in `training` for Optuna to learn from."""
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
        from optuna.trial import create_trial

        return create_trial(
            params={
                "learning_rate": training["learning_rate"],
                "batch_size": training["per_device_train_batch_size"],
                "epochs": int(training["num_train_epochs"]),
            },
            distributions={
                "learning_rate": FloatDistribution(*self.space.learning_rate, log=True),
                "batch_size": CategoricalDistribution(list(self.space.batch_sizes)),
                "epochs": IntDistribution(*self.space.epochs),
            },
            value=value,
        )

    def _try_values(self, trial: Any) -> float:
        """Train with values that Optuna chooses, and return what it is to have the most of."""
        from optuna import TrialPruned

        parameters = {
            "learning_rate": trial.suggest_float("learning_rate", *self.space.learning_rate, log=True),
            "per_device_train_batch_size": trial.suggest_categorical("batch_size", list(self.space.batch_sizes)),
            "num_train_epochs": trial.suggest_int("epochs", *self.space.epochs),
        }
        number = len(self.search.trials())
        try:
            config = duplicate(self.first, {"training": {**parameters, "max_steps": None}})
            run = self.runs.start(self.runs.create(config))
        except DemoError as error:
            print(f"Trial {number} is refused: {error}", flush=True)
            self._record(Trial(number, "", parameters, "failed"))
            raise TrialPruned from error
        value = self._follow(run, number, parameters, trial)
        if self.search.stop_asked():
            self.study.stop()
        if value is None:
            raise TrialPruned
        return value

    def _follow(self, run: Run, number: int, parameters: Mapping[str, float], trial: Any = None) -> float | None:
        """Wait for the end of `run`, and return its value, higher is better; None where it comes to none."""

        def record(state: TrialState, value: float | None = None) -> None:
            self._record(Trial(number, run.id, parameters, state, value))

        record("running")
        for step, value in _watch_values(run, self.metric, self.search.stop_asked):
            if trial is not None:
                trial.report(self.sign * value, step)
                if trial.should_prune():
                    self._end(run)
                    record("pruned", value)
                    return None
        asked = self.search.stop_asked()
        if asked:
            self._end(run)
        status = run.status()
        if status.state != "finished" or self.metric not in status.metrics:
            record("stopped" if asked else "failed")
            return None
        record("finished", status.metrics[self.metric])
        return self.sign * status.metrics[self.metric]

    def _record(self, trial: Trial) -> None:
        with (self.search.folder / "trials.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(dataclasses.asdict(trial)) + "\n")

    def _end(self, run: Run) -> None:
        """Stop a run that is still at work, and wait until it is gone."""
        with contextlib.suppress(RunError):  # it ended by itself this moment
            run.stop(keep=False)
            ensure_stopped(run)


def _watch_values(run: Run, metric: str, ended: Callable[[], bool]) -> Iterator[tuple[int, float]]:
    """Yield (step, value) of each evaluation on the validation split until the run ends, or the search does."""
    seen = 0
    while True:
        active = run.status().active
        events = valid(run.events())
        for event in events[seen:]:
            if isinstance(event, Evaluated) and event.split == "validation" and event.step and metric in event.metrics:
                yield event.step, event.metrics[metric]
        seen = len(events)
        if not active or ended():
            return
        time.sleep(POLL_SECONDS)


def main(arguments: list[str]) -> int:
    """Search and return the exit code: 0 finished or stopped, 1 failed, 2 wrong usage."""
    if len(arguments) != 1 or not (Path(arguments[0]) / "search.json").is_file():
        print("usage: python -m hfdemo.finetuning.runs.search_trials SEARCH_DIR", file=sys.stderr)
        return 2
    search = Search(Path(arguments[0]).resolve())
    write_atomically(search.folder / "process.json", json.dumps(process_identity()))
    end: dict[str, Any] = {"state": "finished"}
    try:
        TrialRunner(search, Settings.from_env()).run()
        if search.stop_asked():
            end = {"state": "stopped"}
    except BaseException as error:
        end = {"state": "failed", "error": str(error) or type(error).__name__}
        raise
    finally:
        write_atomically(search.folder / "end.json", json.dumps(end))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
