"""A task whose model is on the Hub can be seen at work all the same: an architecture with random weights answers."""

from pathlib import Path

import pytest

from hfdemo.errors import DemoError, ModelError
from hfdemo.inference import predict
from hfdemo.models.cache import ModelCache
from hfdemo.models.folders import ARCHITECTURES, local_folder
from hfdemo.models.reference import UNTRAINED, ModelRef
from hfdemo.settings import Settings
from hfdemo.tasks import TASKS, Task
from tests.zoo.architectures import MAKERS

WITHOUT_A_MODEL = [task for task in TASKS.values() if not task.default_model.startswith("embedded:")]


@pytest.mark.parametrize("task", WITHOUT_A_MODEL, ids=lambda task: task.name)
def test_random_weights_answer_an_example_of_each_task_and_the_answer_is_called_noise(
    task: Task, models: ModelCache
) -> None:
    assert task.untrained_model is not None
    ref, example = ModelRef.parse(task.untrained_model), task.examples[task.untrained_example]
    lacking = [each for each in task.requires if each.missing() and each.when(_config(ref, models.settings), example)]
    if lacking:
        with pytest.raises(DemoError, match="which is not installed here"):
            predict(models, task, ref, example)
        return
    done = predict(models, task, ref, example)
    assert any("The output is noise" in warning for warning in done.warnings)


def _config(ref: ModelRef, settings: Settings) -> object:
    from transformers import AutoConfig

    return AutoConfig.from_pretrained(local_folder(ref, settings, weights=False))


def test_the_architectures_are_small_and_have_no_weights() -> None:
    assert set(UNTRAINED) == set(MAKERS) == {folder.name for folder in ARCHITECTURES.iterdir()}
    files = [path for path in ARCHITECTURES.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} <= {".json", ".txt", ".jinja"}
    assert sum(path.stat().st_size for path in files) < 250_000


def test_an_architecture_alone_says_how_it_is_asked_for(models: ModelCache) -> None:
    with pytest.raises(ModelError, match=r"Write `untrained:` in front of it"):
        predict(models, TASKS["image-classification"], ModelRef.parse("embedded:tiny-vit"), _picture())


def _picture() -> dict[str, Path]:
    return {"image": TASKS["image-classification"].examples[0]["image"]}
