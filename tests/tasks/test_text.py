"""Every text row does with Auto classes what its pipeline does, and explains the numbers that the pipeline returns."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import transformers
from transformers.decision import DecisionConfig

from hfdemo.errors import DemoError
from hfdemo.tasks import TASKS
from hfdemo.tasks.field import Field
from hfdemo.tasks.task import PROCESSORS, Task
from tests.zoo import make
from tests.zoo.parts import SPREAD, labels
from tests.zoo.tokenizers import chat_tokenizer

# What a pipeline reads as text, or as a table of texts, and answers in words and numbers.
ROWS: Mapping[str, Task] = {
    task.name: task
    for task in TASKS.values()
    if task.has_pipeline and task.output != "audio" and not any(field.is_media for field in task.inputs)
}
Pipes = Callable[[str], Any]

SENTENCE = "Ada Lovelace met Charles Babbage in London, and Grace Hopper worked in Philadelphia at Remington Rand."
ODD = f"{SENTENCE} \u2603 \U0001f600 unbelievability!"
CHAT = [{"role": "user", "content": "What does a tokenizer do?"}]
PREFILLED = [*CHAT, {"role": "assistant", "content": "It cuts"}]
TABLE = {"River": ["Rhine", "Danube", "Elbe"], "Length": ["1233", "2850", "1094"], "Sea": ["North", "Black", "North"]}
BAD_QUESTIONS: tuple[dict[str, Any], ...] = (
    {"a": {"type": []}},
    {"a": []},
    {"a": None},
    {"a": {"type": "choice", "criteria": 3}},
)
QUESTIONS = {
    "refund": {"type": "noul", "instructions": "Is a refund requested?"},
    "team": {
        "type": "choice",
        "instructions": "Who answers?",
        "criteria": {"billing": "about money", "delivery": None},
    },
    "urgency": {"type": "score", "instructions": "How urgent is it?", "criteria": ["It can wait", "Today"]},
}

CASES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("text-classification", {"text": SENTENCE}),
    ("text-classification", {"text": SENTENCE, "text_pair": "Two people met."}),
    ("text-classification", {"text": SENTENCE, "top_k": 1}),
    *(
        ("text-classification", {"text": SENTENCE, "function_to_apply": each})
        for each in ("softmax", "sigmoid", "none")
    ),
    ("text-classification", {"text": "word " * 2000}),
    ("feature-extraction", {"text": SENTENCE}),
    ("feature-extraction", {"text": SENTENCE, "tokenize_kwargs": {"max_length": 3}}),
    ("feature-extraction", {"text": SENTENCE, "tokenize_kwargs": {"add_special_tokens": False}}),
    ("feature-extraction", {"text": "word " * 2000}),
    ("token-classification", {"text": SENTENCE}),
    *(
        (
            "token-classification",
            {"text": ODD, "aggregation_strategy": each},
        )
        for each in ("none", "simple", "first", "average", "max")
    ),
    ("token-classification", {"text": SENTENCE, "ignore_labels": ["B-PER", "O"]}),
    ("token-classification", {"text": SENTENCE, "aggregation_strategy": "simple", "ignore_labels": ["PER"]}),
    ("token-classification", {"text": f"{SENTENCE} " * 40, "stride": 1}),
    ("token-classification", {"text": f"{SENTENCE} " * 40, "stride": 64, "aggregation_strategy": "simple"}),
    ("token-classification", {"text": f"{SENTENCE} " * 40, "stride": 64, "aggregation_strategy": "max"}),
    ("token-classification", {"text": f"{SENTENCE} " * 40}),
    ("fill-mask", {"text": "The ferry leaves at [MASK]."}),
    ("fill-mask", {"text": "The [MASK] leaves at [MASK]."}),
    ("fill-mask", {"text": "The ferry leaves at [MASK].", "top_k": 2}),
    ("fill-mask", {"text": "The ferry leaves at [MASK].", "targets": ["seven", "unbelievability", "noon"]}),
    ("fill-mask", {"text": "The [MASK] leaves at [MASK].", "targets": ["seven", "ferry"], "top_k": 1}),
    ("fill-mask", {"text": "The ferry leaves at [MASK]. " + "word " * 2000}),
    ("zero-shot-classification", {"text": SENTENCE, "candidate_labels": ["history", "sport", "cooking"]}),
    ("zero-shot-classification", {"text": SENTENCE, "candidate_labels": ["history"]}),
    ("zero-shot-classification", {"text": SENTENCE, "candidate_labels": ["history", "sport"], "multi_label": True}),
    (
        "zero-shot-classification",
        {"text": SENTENCE, "candidate_labels": ["history", "sport"], "hypothesis_template": "It is about {}, surely."},
    ),
    ("zero-shot-classification", {"text": "word " * 2000, "candidate_labels": ["history", "sport"]}),
    ("table-question-answering", {"table": TABLE, "question": "Which river is the longest?"}),
    ("table-question-answering", {"table": TABLE, "question": "Which is the longest?\n\nWhat of the Elbe?\nHow many?"}),
    ("table-question-answering", {"table": TABLE, "question": "Which river is the longest?", "sequential": True}),
    (
        "table-question-answering",
        {"table": TABLE, "question": "Which is the longest?\nWhat of the Elbe?\nHow many?", "sequential": True},
    ),
    ("text-generation", {"text": "The sea is"}),
    *(
        ("text-generation", {"text": "The sea is", "max_new_tokens": 12, **changed})
        for changed in (
            {},
            {"do_sample": "true"},
            {"do_sample": "false"},
            {"temperature": 2.0},
            {"top_p": 0.3},
            {"top_k": 2},
            {"do_sample": "false", "repetition_penalty": 3.0},
            {"do_sample": "false", "num_beams": 3},
            {"return_full_text": False},
            {"stop_sequence": "e"},
            {"handle_long_generation": "hole"},
            {"text": "The sea is calm. " * 500 + "Then", "handle_long_generation": "hole", "do_sample": "false"},
        )
    ),
    ("text-generation", {"messages": CHAT, "max_new_tokens": 8}),
    ("text-generation", {"messages": PREFILLED, "max_new_tokens": 8}),
    ("text-generation", {"messages": CHAT, "max_new_tokens": 8, "return_full_text": False}),
    ("decision", {"text": "I want my money back.", "question": "Is a refund requested?"}),
    ("decision", {"text": "I want my money back.", "question": "Who?", "candidate_labels": ["billing", "delivery"]}),
    ("decision", {"text": "I want my money back.", "questions": QUESTIONS}),
)
# Weights that let random models answer with more than one label and more than one column.
DECISIVE: Mapping[str, Mapping[str, float]] = {
    "token-classification": {"classifier.weight": 1.0},
    "table-question-answering": {
        "output_weights": 1.0,
        "tapas.embeddings.token_type_embeddings_3.weight": 3.0,
    },
}
EXPLAINED = [
    *("text-classification", "token-classification", "fill-mask", "zero-shot-classification"),
    *("table-question-answering", "text-generation", "decision"),
]
FIRST = {name: next(values for each, values in CASES if each == name) for name in ROWS}
FIRST["text-generation"] = {"text": "The sea is", "max_new_tokens": 2}


@pytest.fixture(scope="module")
def pipes(zoo: Callable[[str], Path]) -> Pipes:
    """The pipeline of a task around a tiny model, made once."""
    made: dict[str, Any] = {}

    def get(name: str) -> Any:
        if name not in made:
            made[name] = transformers.pipeline(name, model=str(zoo(name)), device="cpu")
            made[name].tokenizer.model_max_length = min(512, made[name].tokenizer.model_max_length)
            torch.manual_seed(1)
            for parameter, spread in DECISIVE.get(name, {}).items():
                torch.nn.init.normal_(made[name].model.get_parameter(parameter), std=spread)
        return made[name]

    return get


def checked(task: Task, values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    return task.check(values, max_characters=100_000)


def run(task: Task, pipe: Any, values: Mapping[str, Any]) -> Any:
    call = task.call(*checked(task, values))
    torch.manual_seed(7)
    return pipe(*call.args, **call.kwargs)


def run_auto_class_form(task: Task, pipe: Any, values: Mapping[str, Any]) -> Any:
    inputs, parameters = checked(task, values)
    processors = {name: getattr(pipe, name) for name in PROCESSORS if name in task.processors}
    torch.manual_seed(7)
    return task.auto_class_form(pipe.model, **processors, **inputs, **parameters)


def assert_same(found: Any, wanted: Any) -> None:
    """Equal structures; floats to 1e-5, and to 1e-4 of themselves where they are larger than 1."""
    if isinstance(wanted, Mapping):
        assert set(found) == set(wanted)
        for key in wanted:
            assert_same(found[key], wanted[key])
    elif isinstance(wanted, list | tuple):
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            assert_same(one, other)
    elif isinstance(wanted, str | int | None):
        assert found == wanted
    else:
        assert float(found) == pytest.approx(float(wanted), abs=1e-5, rel=1e-5)


@contextmanager
def first_pass(model: Any) -> Iterator[SimpleNamespace]:
    """The tensors that go into and come out of the first forward pass."""
    seen = SimpleNamespace(inputs=None, outputs=None)

    def keep(_: Any, __: Any, kwargs: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
        if seen.inputs is None:
            seen.inputs = {name: value.clone() for name, value in kwargs.items() if isinstance(value, torch.Tensor)}
            seen.outputs = {name: value for name, value in outputs.items() if isinstance(value, torch.Tensor)}

    hook = model.register_forward_hook(keep, with_kwargs=True)
    yield seen
    hook.remove()


def explain(task: Task, pipe: Any, values: Mapping[str, Any]) -> tuple[Any, Any]:
    """(explanation, output) of one call."""
    with first_pass(pipe.model) as seen:
        output = run(task, pipe, values)
    assert task.explain is not None
    _, parameters = checked(task, values)
    return task.explain(loaded(pipe), seen.inputs, seen.outputs, parameters), output


def loaded(pipe: Any) -> SimpleNamespace:
    return SimpleNamespace(model=pipe.model, tokenizer=pipe.tokenizer, processors={"tokenizer": pipe.tokenizer})


# --- The same with Auto classes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "values"), CASES, ids=[name for name, _ in CASES])
def test_the_auto_classes_return_what_the_pipeline_returns(pipes: Pipes, name: str, values: dict[str, Any]) -> None:
    task, pipe = ROWS[name], pipes(name)
    wanted = run(task, pipe, values)
    assert wanted
    assert_same(run_auto_class_form(task, pipe, values), wanted)


@pytest.mark.parametrize(
    ("name", "values"),
    [(task.name, example) for task in ROWS.values() for example in task.examples],
    ids=[task.name for task in ROWS.values() for _ in task.examples],
)
def test_every_example_runs_both_ways(pipes: Pipes, name: str, values: dict[str, Any]) -> None:
    adapt = ROWS[name].adapt_inputs
    if adapt is not None:
        values = adapt(loaded(pipes(name)), values)
    if name == "text-generation":
        values = {"max_new_tokens": 12, **values}
    assert_same(run_auto_class_form(ROWS[name], pipes(name), values), run(ROWS[name], pipes(name), values))


@pytest.mark.parametrize("name", ROWS)
def test_what_is_shown_as_the_auto_class_form_runs_alone(pipes: Pipes, name: str) -> None:
    task, pipe = ROWS[name], pipes(name)
    names: dict[str, Any] = {"Any": Any}
    exec(inspect.getsource(task.auto_class_form), names)
    inputs, _ = checked(task, FIRST[name])
    parameters = {field.name: FIRST[name][field.name] for field in task.parameters if field.name in FIRST[name]}
    torch.manual_seed(7)
    found = names[task.auto_class_form.__name__](model=pipe.model, tokenizer=pipe.tokenizer, **inputs, **parameters)
    assert_same(found, run(task, pipe, FIRST[name]))


@pytest.mark.parametrize(("name", "field"), [(task.name, field) for task in ROWS.values() for field in task.parameters])
def test_auto_class_form_takes_every_parameter_with_the_default_of_its_field(name: str, field: Field) -> None:
    assert inspect.signature(ROWS[name].auto_class_form).parameters[field.name].default == field.default


@pytest.mark.parametrize("problem", ["regression", "single_label_classification", "multi_label_classification", None])
def test_the_config_decides_what_turns_logits_into_scores(
    pipes: Pipes, monkeypatch: pytest.MonkeyPatch, problem: str | None
) -> None:
    task, pipe = ROWS["text-classification"], pipes("text-classification")
    monkeypatch.setattr(pipe.model.config, "problem_type", problem)
    explanation, output = explain(task, pipe, {"text": SENTENCE})
    assert_same(run_auto_class_form(task, pipe, {"text": SENTENCE}), output)
    assert [row[2] for row in explanation.rows] == pytest.approx([answer["score"] for answer in output])


@pytest.mark.parametrize("strategy", ["none", "simple", "first", "average", "max"])
def test_tokens_of_a_tokenizer_without_word_pieces_are_joined_alike(strategy: str) -> None:
    tokenizer = chat_tokenizer()
    names = labels("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        initializer_range=SPREAD,
        pad_token_id=tokenizer.pad_token_id,
        **names,
    )
    model = transformers.LlamaForTokenClassification(config).eval()
    pipe = transformers.pipeline("token-classification", model=model, tokenizer=tokenizer, device="cpu")
    task, values = ROWS["token-classification"], {"text": SENTENCE, "aggregation_strategy": strategy}
    wanted = run(task, pipe, values)
    assert len(wanted) > 3
    assert_same(run_auto_class_form(task, pipe, values), wanted)


@pytest.mark.parametrize("settings", [{"do_sample": False}, {"do_sample": True, "top_k": 3}, {"max_length": 30}])
def test_generation_keeps_to_what_the_checkpoint_decides(pipes: Pipes, settings: dict[str, Any]) -> None:
    task, pipe = ROWS["text-generation"], pipes("text-generation")
    values = {"text": "The sea is", **({} if "max_length" in settings else {"max_new_tokens": 12})}
    before = pipe.model.generation_config
    pipe.model.generation_config = transformers.GenerationConfig(**{**before.to_diff_dict(), **settings})
    try:
        assert_same(run_auto_class_form(task, pipe, values), run(task, pipe, values))
    finally:
        pipe.model.generation_config = before


def test_a_strategy_of_its_own_for_each_way_to_join_tokens(pipes: Pipes) -> None:
    task, pipe = ROWS["token-classification"], pipes("token-classification")
    for strategies in (("none", "simple"), ("simple", "first"), ("first", "max"), ("max", "average")):
        one, other = (run(task, pipe, {"text": ODD, "aggregation_strategy": each}) for each in strategies)
        assert one != other


def test_questions_asked_in_turn_are_answered_differently_from_questions_on_their_own(pipes: Pipes) -> None:
    task, pipe = ROWS["table-question-answering"], pipes("table-question-answering")
    values = {"table": TABLE, "question": "Which is the longest?\nWhat of the Elbe?\nHow many?"}
    assert run(task, pipe, values) != run(task, pipe, {**values, "sequential": True})


def test_a_decision_template_of_the_checkpoint_is_followed(tmp_path: Path) -> None:
    folder = make("decision", tmp_path)
    template = "{{ state }}{% for question in questions %}\n{{ question.instructions }}<|mark|>{% endfor %}"
    config = DecisionConfig(temperature={"noul": 2.0, "choice": 0.5}, chat_template=template)
    config.save_pretrained(folder)
    pipe = transformers.pipeline("decision", model=str(folder), device="cpu")
    values = {"text": "I want my money back.", "questions": QUESTIONS}
    with first_pass(pipe.model) as seen:
        wanted = run(ROWS["decision"], pipe, values)
    assert seen.outputs["logits"].shape[1] == len(QUESTIONS)
    assert_same(run_auto_class_form(ROWS["decision"], pipe, values), wanted)


# --- What is called ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "values", "args", "kwargs"),
    [
        ("text-classification", {"text": "a"}, ("a",), {"top_k": None, "truncation": True}),
        (
            "text-classification",
            {"text": "a", "text_pair": "b", "top_k": 2, "function_to_apply": "none"},
            ({"text": "a", "text_pair": "b"},),
            {"top_k": 2, "truncation": True, "function_to_apply": "none"},
        ),
        ("feature-extraction", {"text": "a"}, ("a",), {"truncation": True}),
        (
            "feature-extraction",
            {"text": "a", "tokenize_kwargs": {"max_length": 3}},
            ("a",),
            {"tokenize_kwargs": {"truncation": True, "max_length": 3}},
        ),
        ("token-classification", {"text": "a"}, ("a",), {}),
        (
            "token-classification",
            {"text": "a", "aggregation_strategy": "max", "ignore_labels": "O, MISC", "stride": 0},
            ("a",),
            {"aggregation_strategy": "max", "ignore_labels": ["O", "MISC"], "stride": 0},
        ),
        ("fill-mask", {"text": "a"}, ("a",), {"tokenizer_kwargs": {"truncation": True}}),
        (
            "zero-shot-classification",
            {"text": "a", "candidate_labels": "b, c"},
            ("a",),
            {"candidate_labels": ["b", "c"]},
        ),
        ("table-question-answering", {"table": TABLE, "question": "a\n"}, (TABLE, "a"), {}),
        (
            "table-question-answering",
            {"table": TABLE, "question": "a\n b", "sequential": True},
            (TABLE, ["a", "b"]),
            {"sequential": True},
        ),
        ("text-generation", {"text": "a"}, ("a",), {}),
        (
            "text-generation",
            {"messages": CHAT, "do_sample": "false", "top_k": 3, "return_full_text": False},
            (CHAT,),
            {"do_sample": False, "top_k": 3, "return_full_text": False},
        ),
        (
            "decision",
            {"text": "a", "question": "b"},
            ({"state": "a", "questions": {"answer": {"type": "noul", "instructions": "b"}}},),
            {},
        ),
        ("decision", {"text": "a", "questions": QUESTIONS}, ({"state": "a", "questions": QUESTIONS},), {}),
    ],
)
def test_only_what_was_set_reaches_the_pipeline(
    name: str, values: dict[str, Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    call = ROWS[name].call(*checked(ROWS[name], values))
    assert (call.args, dict(call.kwargs)) == (args, kwargs)


@pytest.mark.parametrize(
    ("name", "values", "says"),
    [
        ("text-generation", {}, "neither was sent"),
        ("text-generation", {"text": "a", "messages": CHAT}, "both were sent"),
        ("decision", {"text": "a"}, "neither was sent"),
        ("decision", {"text": "a", "question": "b", "questions": QUESTIONS}, "both were sent"),
        ("decision", {"text": "a", "questions": {"x": {"type": "guess"}}}, "must be one of noul, choice, score"),
        *(("decision", {"text": "a", "questions": questions}, "can't be asked") for questions in BAD_QUESTIONS),
        ("feature-extraction", {"text": "a", "tokenize_kwargs": {"padding": "max_length"}}, "can't hold padding"),
        ("token-classification", {"text": "a", "stride": 2, "aggregation_strategy": "none"}, "aggregation_strategy"),
        *(
            (
                "zero-shot-classification",
                {"text": "a", "candidate_labels": ["b"], "hypothesis_template": template},
                "must hold {} once",
            )
            for template in ("no place", "{} and {}", "{:>999999999}", "{0.__class__} {}", "{} {")
        ),
    ],
)
def test_what_a_pipeline_would_choke_on_is_refused_with_a_sentence(
    name: str, values: dict[str, Any], says: str
) -> None:
    with pytest.raises(DemoError, match=says.replace("{}", r"\{\}")):
        ROWS[name].call(*checked(ROWS[name], values))


# --- What is explained ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXPLAINED)
def test_an_explanation_is_a_short_table_of_texts_and_plain_numbers(pipes: Pipes, name: str) -> None:
    explanation, _ = explain(ROWS[name], pipes(name), FIRST[name])
    assert 1 <= len(explanation.rows) <= 12
    for row in explanation.rows:
        assert len(row) == len(explanation.columns)
        assert all(type(cell) in (str, float) for cell in row)
    assert explanation.text.count("`") % 2 == 0


def test_the_vectors_explained_are_those_answered(pipes: Pipes) -> None:
    explanation, output = explain(ROWS["feature-extraction"], pipes("feature-extraction"), {"text": SENTENCE})
    vectors = torch.tensor(output[0])[:12]
    assert [row[1] for row in explanation.rows] == pytest.approx(vectors.norm(dim=-1).tolist(), rel=1e-4)
    assert [row[2] for row in explanation.rows] == pytest.approx(vectors[:, 0].tolist(), rel=1e-4, abs=1e-5)


def test_the_labels_explained_are_those_answered(pipes: Pipes) -> None:
    for function in ("softmax", "sigmoid", "none"):
        values = {"text": SENTENCE, "function_to_apply": function}
        explanation, output = explain(ROWS["text-classification"], pipes("text-classification"), values)
        assert [row[0] for row in explanation.rows] == [answer["label"] for answer in output]
        assert [row[2] for row in explanation.rows] == pytest.approx([answer["score"] for answer in output])


def test_the_tokens_explained_have_the_label_and_score_answered(pipes: Pipes) -> None:
    values = {"text": "Ada met Charles in London.", "ignore_labels": ["none of them"]}
    explanation, output = explain(ROWS["token-classification"], pipes("token-classification"), values)
    assert [row[:2] for row in explanation.rows] == [(each["word"], each["entity"]) for each in output]
    assert [row[3] for row in explanation.rows] == pytest.approx([float(each["score"]) for each in output])


def test_the_candidates_explained_are_those_answered_and_their_entropy_is_said(pipes: Pipes) -> None:
    values = {"text": "The ferry leaves at [MASK].", "top_k": 12}
    explanation, output = explain(ROWS["fill-mask"], pipes("fill-mask"), values)
    assert [row[0] for row in explanation.rows] == [answer["token_str"] for answer in output]
    assert [row[2] for row in explanation.rows] == pytest.approx([answer["score"] for answer in output])
    pipe = pipes("fill-mask")
    everything = pipe(values["text"], top_k=pipe.model.config.vocab_size)
    scores = torch.tensor([answer["score"] for answer in everything])
    entropy = float(-(scores * scores.clamp_min(1e-30).log2()).sum())
    assert f"{entropy:.2f} bits" in explanation.text


def test_the_first_hypothesis_explained_has_the_score_answered(pipes: Pipes) -> None:
    values = {"text": SENTENCE, "candidate_labels": ["history", "sport"], "multi_label": True}
    explanation, output = explain(ROWS["zero-shot-classification"], pipes("zero-shot-classification"), values)
    score = dict(zip(output["labels"], output["scores"], strict=True))["history"]
    assert f"{score:.3f}" in explanation.text
    logits = {str(row[0]): float(row[1]) for row in explanation.rows}
    pair = torch.tensor([logits["contradiction"], logits["entailment"]])
    assert float(pair.softmax(-1)[1]) == pytest.approx(score, abs=1e-5)


def test_the_cells_explained_as_above_a_half_are_the_answer(pipes: Pipes) -> None:
    values = {"table": TABLE, "question": "Which river is the longest?"}
    explanation, output = explain(ROWS["table-question-answering"], pipes("table-question-answering"), values)
    answered = {
        (int(row) - 1, int(column) - 1) for _, row, column, probability in explanation.rows if probability > 0.5
    }
    assert answered == set(output["coordinates"])
    assert f"`{output['aggregator']}`" in explanation.text


def test_the_likeliest_first_token_explained_is_the_one_that_greedy_search_writes(pipes: Pipes) -> None:
    pipe = pipes("text-generation")
    values = {"text": "The sea is", "max_new_tokens": 1, "do_sample": "false", "return_full_text": False}
    # The zoo biases generation, which comes after the model's own logits that are explained.
    before = pipe.model.generation_config.sequence_bias
    pipe.model.generation_config.sequence_bias = None
    try:
        explanation, output = explain(ROWS["text-generation"], pipe, values)
    finally:
        pipe.model.generation_config.sequence_bias = before
    best = explanation.rows[0][0]
    special = pipe.tokenizer.all_special_tokens
    assert output[0]["generated_text"] == ("" if best in special else best)


def test_the_decision_explained_holds_the_logits_of_yes_and_no(pipes: Pipes) -> None:
    pipe = pipes("decision")
    values = {"text": "I want my money back.", "question": "Is a refund requested?"}
    explanation, output = explain(ROWS["decision"], pipe, values)
    with first_pass(pipe.model) as seen:
        run(ROWS["decision"], pipe, values)
    logits = seen.outputs["logits"][0, 0]
    yes, no = (pipe.tokenizer(word, add_special_tokens=False)["input_ids"][0] for word in ("Yes", "No"))
    assert float(logits[[yes, no]].softmax(-1)[0]) == pytest.approx(output["answer"]["noul"], abs=1e-5)
    best = int(logits.argmax())
    assert explanation.rows[0][:2] == (pipe.tokenizer.decode([best]), pytest.approx(float(logits[best])))


# --- What depends on the model and on time ----------------------------------------------------------------------------


@pytest.mark.parametrize("values", [{"text": "The sea is"}, {"messages": CHAT}, {"messages": PREFILLED}])
@pytest.mark.parametrize("full", [True, False])
def test_the_last_state_of_a_stream_is_the_output(pipes: Pipes, values: dict[str, Any], full: bool) -> None:
    task, pipe = ROWS["text-generation"], pipes("text-generation")
    values = {**values, "max_new_tokens": 8}
    new = run(task, pipe, {**values, "return_full_text": False})[0]["generated_text"]
    inputs, parameters = checked(task, {**values, "return_full_text": full})
    assert task.partial_output is not None
    assert task.partial_output(inputs, parameters, new) == run(task, pipe, {**values, "return_full_text": full})


def test_the_stride_stays_below_what_the_tokenizer_reads_at_once(pipes: Pipes) -> None:
    task, pipe = ROWS["token-classification"], pipes("token-classification")
    assert task.narrow_parameters is not None
    stride = task.narrow_parameters(loaded(pipe))["stride"]
    assert isinstance(stride, Field)
    assert stride.maximum is not None
    most = {"text": f"{SENTENCE} " * 40, "stride": int(stride.maximum)}
    assert len(run(task, pipe, {**most, "stride": 100})) > 0
    with pytest.raises(DemoError, match="at most"):
        stride.check(stride.maximum + 1, 0)
    tokens = pipe.tokenizer(most["text"], truncation=True, return_overflowing_tokens=True, stride=most["stride"])
    assert len(tokens["input_ids"]) > 1


def test_a_tokenizer_that_knows_no_offsets_narrows_what_can_be_joined(pipes: Pipes) -> None:
    narrow = ROWS["token-classification"].narrow_parameters
    assert narrow is not None
    found = narrow(SimpleNamespace(tokenizer=SimpleNamespace(is_fast=False)))
    strategy = found["aggregation_strategy"]
    assert isinstance(strategy, Field)
    assert strategy.choices == ("none", "simple")
    assert isinstance(found["stride"], str)


@pytest.mark.parametrize("own", ["[MASK]", "<mask>", "<special1>"])
@pytest.mark.parametrize("written", ["[MASK]", "<mask>"])
def test_whichever_mask_was_written_becomes_the_models_own(own: str, written: str) -> None:
    adapt = ROWS["fill-mask"].adapt_inputs
    assert adapt is not None
    model = SimpleNamespace(ref="tiny", tokenizer=SimpleNamespace(mask_token=own))
    sent = {"text": f"The {written} leaves at {written}."}
    assert adapt(model, sent) == {"text": f"The {own} leaves at {own}."}
    assert sent["text"].count(written) == 2, "the caller's own values stay as they were"


def test_a_mask_of_another_model_is_filled_like_ones_own(pipes: Pipes) -> None:
    task, pipe = ROWS["fill-mask"], pipes("fill-mask")
    assert task.adapt_inputs is not None
    adapted = task.adapt_inputs(loaded(pipe), {"text": "The ferry leaves at <mask>."})
    assert run(task, pipe, adapted) == run(task, pipe, {"text": "The ferry leaves at [MASK]."})


def test_a_tokenizer_without_a_mask_gets_a_sentence() -> None:
    adapt = ROWS["fill-mask"].adapt_inputs
    assert adapt is not None
    with pytest.raises(DemoError, match="no mask token"):
        adapt(SimpleNamespace(ref="tiny", tokenizer=SimpleNamespace(mask_token=None)), {"text": "[MASK]"})


def test_no_more_candidates_than_the_vocabulary_has(pipes: Pipes) -> None:
    task, pipe = ROWS["fill-mask"], pipes("fill-mask")
    assert task.narrow_parameters is not None
    top_k = task.narrow_parameters(loaded(pipe))["top_k"]
    assert isinstance(top_k, Field)
    assert top_k.maximum == min(4096, pipe.model.config.vocab_size)
    values = {"text": "The ferry leaves at [MASK].", "top_k": int(top_k.maximum or 0)}
    assert len(run(task, pipe, values)) == values["top_k"]
    few = task.narrow_parameters(SimpleNamespace(model=SimpleNamespace(config=SimpleNamespace(vocab_size=300))))[
        "top_k"
    ]
    assert isinstance(few, Field)
    assert few.maximum == 300


def test_no_more_new_tokens_than_the_context_has_room_for(pipes: Pipes) -> None:
    task, pipe = ROWS["text-generation"], pipes("text-generation")
    assert task.narrow_parameters is not None
    found = task.narrow_parameters(loaded(pipe))["max_new_tokens"]
    assert isinstance(found, Field)
    assert found.maximum == pipe.tokenizer.model_max_length - 1
