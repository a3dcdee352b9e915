"""Which models a task is offered: first those that are here and can do it, then the others, and what speaks against."""

from __future__ import annotations

from dataclasses import dataclass

from hfdemo.errors import DemoError
from hfdemo.models.folders import is_local, list_offline_models, local_folder
from hfdemo.models.hub import count_download_bytes
from hfdemo.models.model_facts import load_config
from hfdemo.models.reference import ModelRef
from hfdemo.models.weight_files import weight_files
from hfdemo.settings import Settings
from hfdemo.tasks import Task, can_load, find_task_for_architectures


@dataclass(frozen=True)
class OfferedModel:
    """A reference, and in a few words why it is none of the first choices for the task; "" where it is."""

    reference: str
    against: str = ""


def offer_models(task: Task, settings: Settings) -> list[OfferedModel]:
    """List the models to offer for `task`: those that work with no network and can do it, then the others."""
    here = [_judge(reference, task, settings) for reference in list_offline_models(settings)]
    default = OfferedModel(task.default_model)
    if not is_local(ModelRef.parse(task.default_model), settings):
        default = OfferedModel(task.default_model, _describe_download(task.default_model, settings))
    tried = [OfferedModel(task.untrained_model, "random weights, answers noise")] if task.untrained_model else []
    named = {each.reference: each for each in (*tried, default, *here)}
    first = (task.default_model, task.untrained_model)
    return sorted(named.values(), key=lambda each: (bool(each.against), each.reference not in first))


def name_fitting_models(task: Task, settings: Settings) -> str:
    """Name what answers `task` without a network, in a sentence."""
    found = [each.reference for each in offer_models(task, settings) if not each.against]
    noise = f"{task.untrained_model} (random weights: its answer is noise)" if task.untrained_model else ""
    named = ", ".join(filter(None, [*found, noise]))
    return f"What works without a network: {named or 'no model for this task'}."


def _judge(reference: str, task: Task, settings: Settings) -> OfferedModel:
    try:
        folder = local_folder(ModelRef.parse(reference), settings, weights=False)
        config = load_config(folder, settings)
        made_for = list(config.architectures or [])
        if can_load(task, config.model_type, made_for):
            return OfferedModel(reference)
        size = sum(path.stat().st_size for path in weight_files(folder)) if folder.is_dir() else 0
        other, _ = find_task_for_architectures(made_for)
    except (DemoError, OSError) as error:
        return OfferedModel(reference, f"can't be read: {error}"[:120])
    return OfferedModel(reference, f"made for {other.title.lower()}" + (f", {size / 1e6:,.0f} MB" if size else ""))


def _describe_download(reference: str, settings: Settings) -> str:
    try:
        size = count_download_bytes(ModelRef.parse(reference), settings.public)
    except DemoError:
        size = None
    return f"on the Hub, {size / 1e6:,.0f} MB" if size else "on the Hub, not on this machine"
