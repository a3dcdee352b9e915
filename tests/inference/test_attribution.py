"""Why the model said it: scores that add up, that a linear model knows beforehand, and that are Captum's own."""

from collections.abc import Callable
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from hfdemo.errors import DemoError, Stopped
from hfdemo.inference import Attribution, build_need, explain_answer, predict, read_attention
from hfdemo.inference.attribution import EncodedRow, Explainer
from hfdemo.models.cache import ModelCache
from hfdemo.models.reference import ModelRef
from hfdemo.tasks import TASKS

parse = ModelRef.parse
CLASSIFY, TAG, WRITE = (TASKS[name] for name in ("text-classification", "token-classification", "text-generation"))
SENTIMENT = parse("embedded:sentiment")
TEXT = "It starts slowly, but the last half hour is wonderful."
Zoo = Callable[[str], Path]


def explained(models: ModelCache, text: str = TEXT, **options: Any) -> Attribution:
    return explain_answer(models, CLASSIFY, SENTIMENT, text, **options)


@pytest.mark.parametrize("target", ["positive", "negative"])
def test_the_scores_sum_to_what_the_words_change(models: ModelCache, target: str) -> None:
    found = explained(models, target=target)
    assert found.baseline is not None
    assert found.error is not None
    assert found.error < 0.01
    assert sum(found.scores) == pytest.approx(found.logit - found.baseline, rel=0.01)
    scores = dict(zip(found.tokens, found.scores, strict=True))
    assert (scores["wonderful"] > 1) is (target == "positive")
    assert (scores["wonderful"] < -1) is (target == "negative")
    assert all(abs(score) < 1e-6 for score, special in zip(found.scores, found.special, strict=True) if special)


def test_the_likeliest_label_is_explained_unless_another_is_asked_for(models: ModelCache) -> None:
    best = predict(models, CLASSIFY, SENTIMENT, {"text": TEXT}).output[0]["label"]
    assert explained(models).target == best
    assert explained(models, target="0").target == "negative"
    with pytest.raises(DemoError, match=r"no label 'angry'. It has: negative, positive"):
        explained(models, target="angry")


def test_the_scores_are_captums(models: ModelCache) -> None:
    from captum.attr import LayerIntegratedGradients

    found = explained(models, target="positive")
    loaded = models.get(SENTIMENT, "AutoModelForSequenceClassification")
    inputs = loaded.tokenizer(TEXT, return_tensors="pt")
    blank = inputs["input_ids"].clone()
    blank[0, 1:-1] = loaded.tokenizer.pad_token_id

    def forward(ids: Any, mask: Any) -> Any:
        return loaded.model(input_ids=ids, attention_mask=mask).logits[:, 1]

    alone = LayerIntegratedGradients(forward, loaded.model.get_input_embeddings()).attribute(
        inputs["input_ids"], blank, additional_forward_args=inputs["attention_mask"], n_steps=found.steps
    )
    assert list(found.scores) == pytest.approx(alone.sum(-1)[0].tolist(), abs=1e-3)


class Bag(torch.nn.Module):
    """Adds up its tokens' vectors: each token's share of a logit is known beforehand."""

    def __init__(self) -> None:
        super().__init__()
        self.vectors, self.head = torch.nn.Embedding(8, 4), torch.nn.Linear(4, 3)

    def get_input_embeddings(self) -> Any:
        return self.vectors

    def forward(self, input_ids: Any = None, inputs_embeds: Any = None, attention_mask: Any = None) -> Any:
        vectors = self.vectors(input_ids) if inputs_embeds is None else inputs_embeds
        return SimpleNamespace(logits=self.head((vectors * attention_mask[..., None]).sum(1)))


@pytest.mark.parametrize("label", [0, 2])
def test_a_linear_model_on_a_bag_of_vectors_gives_its_known_weights(label: int) -> None:
    torch.manual_seed(0)
    model: Any = Bag()
    model.config = SimpleNamespace(id2label={0: "a", 1: "b", 2: "c"})
    tokenizer = SimpleNamespace(pad_token_id=0, unk_token_id=None, eos_token_id=None)
    loaded: Any = SimpleNamespace(model=model, tokenizer=tokenizer)
    ids = torch.tensor([[1, 3, 5, 3, 2]])
    row = EncodedRow({"input_ids": ids, "attention_mask": torch.ones_like(ids)}, (True, False, False, False, True), ())
    explainer = Explainer(loaded, CLASSIFY, row, str(label), None)
    scores, _, _ = explainer.integrate()
    weight, vectors = model.head.weight[label], model.vectors.weight
    known = [0.0, *(float((vectors[each] - vectors[0]) @ weight) for each in (3, 5, 3)), 0.0]
    assert scores == pytest.approx(known, abs=1e-5)
    left_out, _, _ = explainer.leave_out()
    assert left_out == pytest.approx([0.0, *(float(vectors[each] @ weight) for each in (3, 5, 3)), 0.0], abs=1e-5)


def test_what_is_left_out_is_what_the_logit_loses(models: ModelCache) -> None:
    found = explained(models, target="positive", method="leave_one_out")
    loaded = models.get(SENTIMENT, "AutoModelForSequenceClassification")
    ids = loaded.tokenizer(TEXT)["input_ids"]
    for place in (1, 5, len(ids) - 3):
        shorter = torch.tensor([[*ids[:place], *ids[place + 1 :]]])
        logit = float(loaded.model(shorter, attention_mask=torch.ones_like(shorter)).logits[0, 1].detach())
        assert found.scores[place] == pytest.approx(found.logit - logit, abs=1e-4)
    assert (found.baseline, found.error) == (None, None)


@pytest.mark.parametrize("method", ["integrated_gradients", "leave_one_out"])
@pytest.mark.parametrize("task", [TAG, WRITE], ids=lambda task: task.name)
def test_tags_and_next_tokens_are_explained_too(models: ModelCache, zoo: Zoo, task: Any, method: str) -> None:
    ref, text = parse(str(zoo(task.name))), "Ada Lovelace met Babbage in London"
    found = explain_answer(models, task, ref, text, method=method)
    loaded = models.get(ref, task.classes[0])
    inputs = loaded.tokenizer(text, return_tensors="pt")
    logits = loaded.model(**inputs).logits[0].detach()
    assert any(found.logit == pytest.approx(float(each), abs=1e-4) for each in logits.flatten())
    if found.baseline is not None:
        assert sum(found.scores) == pytest.approx(found.logit - found.baseline, rel=0.01)
    if task is TAG:
        chosen = explain_answer(models, task, ref, text, target="2:O", method=method)
        assert chosen.logit == pytest.approx(float(logits[2, loaded.model.config.label2id["O"]]), abs=1e-4)
        with pytest.raises(DemoError, match="names a token by its place"):
            explain_answer(models, task, ref, text, target="99")
    else:
        assert found.target == f"next token {loaded.tokenizer.decode([int(logits[-1].argmax())])!r}"
        with pytest.raises(DemoError, match="tokens here"):
            explain_answer(models, task, ref, text, target="a target of several tokens")


def test_spans_say_where_in_which_text_a_token_stands(models: ModelCache, tiny: Path) -> None:
    found = explain_answer(models, CLASSIFY, parse(str(tiny)), "a car", "the boat", method="leave_one_out")
    texts = ("a car", "the boat")
    read = [texts[span[0]][span[1] : span[2]] for span in found.spans if span is not None]
    assert read == ["a", "car", "the", "boat"]


def test_what_can_not_be_explained_gets_a_sentence(models: ModelCache, tiny: Path) -> None:
    with pytest.raises(DemoError, match=r"fill-mask can't be explained. Take a task of text-classification"):
        explain_answer(models, TASKS["fill-mask"], parse(str(tiny)), "x")
    with pytest.raises(DemoError, match=r"There is no method 'magic'. Take one of integrated_gradients, leave_one_out"):
        explained(models, method="magic")
    with pytest.raises(DemoError, match="white space"):
        explained(models, text="  ")


def test_a_long_text_is_explained_in_part_and_said(models: ModelCache, tiny: Path) -> None:
    found = explain_answer(models, CLASSIFY, parse(str(tiny)), "word " * 300, method="leave_one_out")
    assert len(found.tokens) == 128
    assert "The text has 302 tokens; the first 128 are looked at." in found.warnings


def test_a_stop_ends_it(models: ModelCache) -> None:
    stop = Event()
    stop.set()
    with pytest.raises(Stopped):
        explained(models, stop=stop)


# Attention


def test_attention_is_the_models_own_and_its_rows_sum_to_one(models: ModelCache, tiny: Path) -> None:
    ref = parse(str(tiny))
    found = read_attention(models, CLASSIFY, ref, "a car", "the boat", layer=0, head=1)
    loaded = models.get(ref, build_need(CLASSIFY, attention="eager"))
    inputs = loaded.tokenizer("a car", "the boat", return_tensors="pt")
    expected = loaded.model(**inputs, output_attentions=True).attentions[0][0, 1]
    assert torch.tensor(found.weights).allclose(expected, atol=1e-6)
    assert (found.layers, found.heads, found.layer, found.head) == (2, 2, 0, 1)
    mean = read_attention(models, CLASSIFY, ref, "a car")
    assert (mean.layer, mean.head) == (1, None)
    assert all(sum(row) == pytest.approx(1, abs=1e-4) for row in mean.weights)
    assert len(mean.weights) == len(mean.tokens) == 4


def test_a_layer_or_head_that_is_not_there_gets_a_sentence(models: ModelCache, tiny: Path) -> None:
    for options, said in (({"layer": 2}, "no layer 2: this model has 2"), ({"head": -1}, "no head -1")):
        with pytest.raises(DemoError, match=said):
            read_attention(models, CLASSIFY, parse(str(tiny)), "a car", **options)  # type: ignore[arg-type]
