"""What LoRA and a frozen backbone train: the head, and what the checkpoint had no weights for."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from hfdemo.errors import DemoError
from hfdemo.finetuning.config import LORA
from hfdemo.finetuning.events import Started
from hfdemo.finetuning.kinds import KINDS
from hfdemo.finetuning.training.model import find_whole_modules, freeze_backbone, make_lora_options
from hfdemo.models.loading import load_model
from hfdemo.models.reference import ModelRef
from hfdemo.settings import Settings
from tests.finetuning.tiny_runs import CPU, STEPS_ALONE, Zoo, model_of, run_folder, table, trained

SHORT = {"max_steps": 3, **STEPS_ALONE}


@pytest.fixture(scope="session")
def headless(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Checkpoints without a head to classify with: a BERT that has no pooler either, and a DistilBERT."""
    from transformers import AutoTokenizer, BertConfig, BertForMaskedLM, DistilBertConfig, DistilBertModel

    def made(kind: str) -> Path:
        folder = tmp_path_factory.mktemp(kind)
        if kind == "bert":
            small: Any = BertConfig.from_pretrained(tiny, id2label={0: "a", 1: "b"}, label2id={"a": 0, "b": 1})
            model: Any = BertForMaskedLM(small)
        else:
            model = DistilBertModel(DistilBertConfig(dim=32, n_layers=2, n_heads=2, hidden_dim=64))
        model.save_pretrained(folder)
        AutoTokenizer.from_pretrained(tiny).save_pretrained(folder)
        return folder

    return made


def logits(path: Path, kind: str, settings: Settings) -> Any:
    import torch

    loaded = load_model(ModelRef.parse(str(path)), KINDS[kind].model_class, settings, device=CPU)
    assert loaded.report.is_trustworthy
    ids = loaded.tokenizer(list(table("single_label", 6)["text"]), truncation=True, max_length=16)["input_ids"]
    with torch.no_grad():
        return torch.cat([loaded.model(torch.tensor([row])).logits.flatten() for row in ids])


def agree(folder: Path, kind: str, settings: Settings) -> None:
    """The adapter, loaded twice, answers as the whole model does."""
    import torch

    whole, *adapted = (logits(folder / name, kind, settings) for name in ("model", "adapter", "adapter"))
    assert adapted[0].equal(adapted[1]), "nothing is drawn at random when it is loaded"
    torch.testing.assert_close(adapted[0], whole, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_an_adapter_of_every_kind_answers_as_the_model_beside_it(
    settings: Settings, tiny: Path, zoo: Zoo, kind: str
) -> None:
    folder = run_folder(settings, kind, model_of(kind, tiny, zoo), method="lora", training=SHORT)
    trained(folder, settings)
    agree(folder, kind, settings)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_with_a_frozen_backbone_the_head_of_every_kind_learns_alone(
    settings: Settings, tiny: Path, zoo: Zoo, kind: str
) -> None:
    model = model_of(kind, tiny, zoo)
    folder = run_folder(settings, kind, model, method="frozen", training=SHORT)
    trained(folder, settings)
    before, after = load_file(model / "model.safetensors"), load_file(folder / "model" / "model.safetensors")
    head = {"lm_head.weight"} if kind == "language" else {"classifier.weight", "classifier.bias"}
    same = {name for name in after if name in before and after[name].equal(before[name])}
    assert after.keys() - same == head


@pytest.mark.slow
def test_a_layer_to_adapt_that_is_not_there_is_refused_with_those_that_are(settings: Settings, tiny: Path) -> None:
    folder = run_folder(settings, "single_label", tiny, method="lora", lora={"target_modules": ["quary", "value"]})
    with pytest.raises(
        DemoError, match=r"no layer that lora's target_modules call 'quary'\. It has: .*key, query, value"
    ):
        trained(folder, settings)


@pytest.mark.slow
def test_a_head_that_is_the_frozen_embedding_is_refused(settings: Settings, zoo: Zoo, tmp_path: Path) -> None:
    from transformers import AutoConfig, AutoModelForCausalLM

    model = shutil.copytree(zoo("text-generation"), tmp_path / "tied")
    # A checkpoint with two different tensors is not tied, whatever its configuration says: this one has to hold one.
    tied = AutoConfig.from_pretrained(model, tie_word_embeddings=True)
    AutoModelForCausalLM.from_config(tied).save_pretrained(model)
    with pytest.raises(DemoError, match="shares its weights with the embedding"):
        trained(run_folder(settings, "language", model, method="frozen"), settings)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "target_modules"),
    [
        ("bert", "all-linear"),
        ("bert", ["query", "value"]),
        ("distilbert", "all-linear"),
        ("distilbert", ["q_lin", "v_lin"]),
    ],
)
def test_what_a_checkpoint_had_no_weights_for_goes_with_the_adapter(
    settings: Settings, headless: Callable[[str], Path], kind: str, target_modules: Any
) -> None:
    folder = run_folder(
        settings, "single_label", headless(kind), method="lora", lora={"target_modules": target_modules}, training=SHORT
    )
    trained(folder, settings)
    agree(folder, "single_label", settings)


@pytest.mark.slow
def test_a_frozen_backbone_keeps_its_weights_and_learns_those_it_had_none_for(
    settings: Settings, headless: Callable[[str], Path]
) -> None:
    base = headless("bert")
    folder = run_folder(settings, "single_label", base, method="frozen", training=SHORT)
    events = trained(folder, settings)
    before = load_file(base / "model.safetensors")
    after = load_file(folder / "model" / "model.safetensors")
    new = {name for name in after if name not in before}
    assert {name.rpartition(".")[0] for name in new} == {"bert.pooler.dense", "classifier"}
    assert all(after[name].equal(before[name]) for name in after if name in before)
    (started,) = [event for event in events if isinstance(event, Started)]
    assert started.trainable_parameters == sum(after[name].numel() for name in new)


def tiny_models() -> dict[str, Any]:
    import transformers as t

    small = {
        "hidden_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "vocab_size": 64,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
    }
    tokens: Any = {"cls_token_id": 1, "sep_token_id": 2}
    return {
        "bert": t.BertConfig(**small),
        "roberta": t.RobertaConfig(**small),
        "deberta-v2": t.DebertaV2Config(**small),
        "albert": t.AlbertConfig(embedding_size=16, **small),
        "electra": t.ElectraConfig(embedding_size=16, **small),
        "modernbert": t.ModernBertConfig(**small, **tokens),
        "mpnet": t.MPNetConfig(**small),
        "llama": t.LlamaConfig(**small),
        "distilbert": t.DistilBertConfig(dim=32, n_layers=1, n_heads=2, hidden_dim=64, vocab_size=64),
        "gpt2": t.GPT2Config(n_embd=32, n_layer=1, n_head=2, vocab_size=64, bos_token_id=1, eos_token_id=2),
        "xlnet": t.XLNetConfig(d_model=32, n_layer=1, n_head=2, d_inner=64, vocab_size=64),
    }


@pytest.mark.parametrize("kind", ["single_label", "tokens"])
@pytest.mark.parametrize("family", tiny_models())
def test_the_defaults_of_lora_fit_every_family_and_store_its_whole_head(family: str, kind: str) -> None:
    import transformers
    from peft import LoraConfig, get_peft_model, get_peft_model_state_dict

    recipe = KINDS[kind]
    model = getattr(transformers, recipe.model_class).from_config(tiny_models()[family])
    inside = f"{model.base_model_prefix}."
    head = {name for name, _ in model.named_parameters() if not name.startswith(inside)}
    made = get_peft_model(model, LoraConfig(task_type=recipe.peft_task, **make_lora_options(model, LORA, [])))
    stored = {name.removeprefix("base_model.model.") for name in get_peft_model_state_dict(made)}
    assert head
    assert head <= stored
    assert any(".lora_A." in name for name in stored)


def test_a_head_that_writes_words_stays_as_it_is_unless_it_is_new() -> None:
    from transformers import LlamaForCausalLM

    model = LlamaForCausalLM(tiny_models()["llama"])
    assert find_whole_modules(model, []) == []
    assert find_whole_modules(model, ["lm_head.weight"]) == ["lm_head"]


def test_a_module_within_one_that_is_trained_whole_is_not_named_again() -> None:
    from transformers import RobertaForSequenceClassification

    model = RobertaForSequenceClassification(tiny_models()["roberta"])
    assert find_whole_modules(model, ["classifier.dense.weight", "classifier.out_proj.bias"]) == ["classifier"]
    freeze_backbone(model, ["roberta.encoder.layer.0.output.dense.weight"])
    learned = {name for name, each in model.named_parameters() if each.requires_grad}
    assert "roberta.encoder.layer.0.output.dense.weight" in learned
    assert all(name.startswith(("classifier.", "roberta.encoder.layer.0.output.dense.")) for name in learned)


def test_what_the_lora_settings_say_of_whole_modules_wins() -> None:
    from transformers import BertForSequenceClassification

    model = BertForSequenceClassification(tiny_models()["bert"])
    own = {"modules_to_save": ["bert.pooler"], "r": 2}
    assert make_lora_options(model, own, ["bert.pooler.dense.weight"]) == own
