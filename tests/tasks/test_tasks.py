"""Every row of TASKS, with no test of its own: what is true of one task is true of all."""

import pytest

from hfdemo.errors import DemoError
from hfdemo.inference import predict
from hfdemo.models.memory import ModelCache
from hfdemo.models.reference import ModelRef
from hfdemo.serializing import to_json
from hfdemo.tasks import TASKS, Task, find_task, task_of

each_task = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)


@each_task
def test_the_model_class_is_the_one_that_transformers_gives_the_pipeline(task: Task) -> None:
    from transformers.pipelines import SUPPORTED_TASKS

    assert task.model_class in [each.__name__ for each in SUPPORTED_TASKS[task.name]["pt"]]


@each_task
def test_the_output_is_the_pipelines_own(task: Task, models: ModelCache, tiny: object) -> None:
    from transformers import AutoTokenizer, pipeline

    for example in task.examples:
        inputs, parameters = task.check(example, 1000)
        call = task.call(inputs, parameters)
        ours = predict(models, task, str(tiny), example)
        loaded = models.get(ModelRef.parse(str(tiny)), task.model_class)
        pipe = pipeline(task.name, model=loaded.model, tokenizer=AutoTokenizer.from_pretrained(str(tiny)))
        theirs = pipe(*call.args, **call.kwargs)
        assert ours.output == to_json(theirs)


@each_task
def test_every_parameter_changes_what_the_pipeline_is_called_with(task: Task) -> None:
    inputs, defaults = task.check(task.examples[0], 1000)
    plain = task.call(inputs, defaults)
    for field in task.parameters:
        changed = {**defaults, field.name: field.choices[0] if field.choices else 1}
        assert task.call(inputs, changed) != plain, field.name


@each_task
def test_required_inputs_are_missed_by_name(task: Task) -> None:
    for field in task.inputs:
        if field.required:
            with pytest.raises(DemoError, match=field.label):
                task.check({**task.examples[0], field.name: ""}, 1000)


@each_task
def test_too_long_a_text_is_refused_with_both_numbers(task: Task) -> None:
    with pytest.raises(DemoError, match=r"100,000 characters.*50,000"):
        task.check({"text": "x" * 100_000}, 50_000)


@pytest.mark.parametrize("text", [" \n\t", 7, "broken \ud83d emoji"])
def test_a_text_that_no_tokenizer_can_read_gets_a_sentence(text: object) -> None:
    with pytest.raises(DemoError):
        TASKS["text-classification"].check({"text": text}, 1000)


@pytest.mark.parametrize(
    ("parameter", "value"), [("top_k", 0), ("top_k", "many"), ("top_k", 1.5), ("function_to_apply", "relu"), ("k", 1)]
)
def test_a_wrong_parameter_gets_a_sentence_that_names_it(parameter: str, value: object) -> None:
    with pytest.raises(DemoError, match=parameter):
        TASKS["text-classification"].check({"text": "fine", parameter: value}, 1000)


def test_an_unknown_task_gets_the_list_of_tasks() -> None:
    with pytest.raises(DemoError, match="text-classification"):
        find_task("mind-reading")


@pytest.mark.parametrize(
    ("architectures", "expected"),
    [
        (["BertForSequenceClassification"], "text-classification"),
        (["BertModel"], "feature-extraction"),
        ([], "feature-extraction"),
    ],
)
def test_the_task_is_read_off_the_architecture(architectures: list[str], expected: str) -> None:
    task, why = task_of(architectures)
    assert task.name == expected
    assert why
