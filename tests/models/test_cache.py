"""The bounded cache: one load per model, the oldest out first, and unloading for real."""

import json
import shutil
import sys
import threading
from pathlib import Path

import pytest

from hfdemo.errors import ModelError
from hfdemo.models import weights
from hfdemo.models.cache import ModelCache
from hfdemo.models.loading import LoadedModel, Need
from hfdemo.models.reference import ModelRef
from hfdemo.settings import Settings
from tests import forked
from tests.conftest import ROOT

CLASSIFIER = "AutoModelForSequenceClassification"


def test_a_model_is_loaded_once_even_when_eight_threads_ask_for_it(settings: Settings, tiny: Path) -> None:
    cache, found = ModelCache(settings), []
    ref = ModelRef.parse(str(tiny))
    threads = [threading.Thread(target=lambda: found.append(cache.get(ref, CLASSIFIER))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len({id(loaded) for loaded in found}) == 1


@pytest.mark.slow
def test_a_model_that_is_here_does_not_wait_for_one_that_is_still_loading(settings: Settings, tiny: Path) -> None:
    from transformers import BertConfig

    large = settings.home / "large"
    BertConfig(hidden_size=1024, num_attention_heads=16, intermediate_size=4096).save_pretrained(large)
    cache, ref = ModelCache(settings), ModelRef.parse(str(tiny))
    cache.get(ref, CLASSIFIER)
    thread = threading.Thread(target=cache.get, args=(ModelRef.parse(f"untrained:{large}/config.json"), "AutoModel"))
    thread.start()
    cache.get(ref, CLASSIFIER)
    assert thread.is_alive()
    thread.join()
    assert len(cache.list_cards()) == 2


def test_the_least_recently_used_model_goes_first_when_the_budget_is_spent(settings: Settings, tiny: Path) -> None:
    size = ModelCache(settings).get(ModelRef.parse(str(tiny)), CLASSIFIER).bytes
    cache = ModelCache(Settings(home=settings.home, model_bytes=int(2.5 * size)))
    first, second, third = (ModelRef.parse(text) for text in (str(tiny), f"untrained:{tiny}", f"{tiny}/"))
    cache.get(first, CLASSIFIER)
    cache.get(second, CLASSIFIER)
    cache.get(first, CLASSIFIER)
    cache.get(third, CLASSIFIER)
    assert [card["model"] for card in cache.list_cards()] == [str(third), str(first)]
    assert cache.bytes <= 2.5 * size


def test_one_model_larger_than_the_budget_still_runs(settings: Settings, tiny: Path) -> None:
    cache = ModelCache(Settings(home=settings.home, model_bytes=1))
    assert cache.get(ModelRef.parse(str(tiny)), CLASSIFIER).bytes > 1


def test_unloading_frees_the_bytes_and_forgets_the_model(settings: Settings, tiny: Path) -> None:
    cache, ref = ModelCache(settings), ModelRef.parse(str(tiny))
    size = cache.get(ref, CLASSIFIER).bytes + cache.get(ref, "AutoModel").bytes
    assert cache.unload(ref) == size
    assert cache.bytes == 0
    with pytest.raises(ModelError, match="is not loaded"):
        cache.unload(ref)


@pytest.mark.slow
@pytest.mark.parametrize("reference", ["embedded:minilm", "untrained:embedded:minilm"])
def test_unloading_gives_the_memory_back_to_the_machine(reference: str, tmp_path: Path) -> None:
    """In a process of its own: what other tests leave behind must not blur it. Weights are mapped or allocated."""
    code = (
        "import json, sys, psutil, torch\n"
        "from pathlib import Path\n"
        "from hfdemo.models.cache import ModelCache\n"
        "from hfdemo.models.reference import ModelRef\n"
        "from hfdemo.settings import Settings\n"
        "cache, ref = ModelCache(Settings(home=Path(sys.argv[1]))), ModelRef.parse(sys.argv[2])\n"
        "def used(): return psutil.Process().memory_info().rss\n"
        "def run(model): return [parameter.sum().item() for parameter in model.parameters()] and used()\n"
        "rounds = []\n"
        "for _ in range(3):\n"
        "    before, size = used(), cache.get(ref, 'AutoModel').bytes\n"
        "    loaded = run(cache.get(ref, 'AutoModel').model)\n"
        "    cache.unload(ref)\n"
        "    rounds.append((before, size, loaded, used()))\n"
        "print(json.dumps(rounds))\n"
    )
    done = forked.run(["-c", code, str(tmp_path), reference], cwd=ROOT)
    assert done.returncode == 0, done.stderr[-2000:]
    _, *rounds = json.loads(done.stdout.splitlines()[-1])  # the first one imports the libraries
    for before, size, loaded, after in rounds:
        assert size > 90e6
        assert loaded - before > 0.9 * size
        assert after - before < 0.1 * size


def test_the_same_model_for_another_need_is_another_form_and_the_last_one_used_is_found(
    settings: Settings, tiny: Path
) -> None:
    cache, ref = ModelCache(settings), ModelRef.parse(str(tiny))
    assert cache.find_loaded(ref) is None
    first = cache.get(ref, CLASSIFIER)
    assert cache.get(ref, Need((CLASSIFIER,))) is first
    eager = cache.get(ref, Need((CLASSIFIER,), attention="eager"))
    assert eager is not first
    assert cache.find_loaded(ref) is eager
    cache.get(ref, CLASSIFIER)
    assert cache.find_loaded(ref) is first


@pytest.mark.slow
def test_models_built_at_the_same_time_each_have_the_dtype_they_were_asked_for(settings: Settings, tiny: Path) -> None:
    """The library changes torch's default dtype for the whole process while it builds a model."""
    found: list[tuple[str, str]] = []

    def work(dtype: str, reference: str) -> None:
        cache, ref = ModelCache(settings), ModelRef.parse(reference)
        for _ in range(6):
            model = cache.get(ref, Need(("AutoModel",), dtype=dtype)).model
            found.extend((dtype, str(parameter.dtype)) for parameter in model.parameters())
            cache.unload(ref)

    kinds = [(dtype, f"{scheme}{tiny}") for dtype in ("float32", "bfloat16") for scheme in ("", "untrained:")]
    threads = [threading.Thread(target=work, args=kind) for kind in kinds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(found) == {("float32", "torch.float32"), ("bfloat16", "torch.bfloat16")}


def test_models_that_are_loaded_make_room_for_one_that_would_fit_without_them(
    settings: Settings, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, first, second = ModelCache(settings), ModelRef.parse(str(tiny)), ModelRef.parse(f"{tiny}/")
    size = cache.get(first, CLASSIFIER).bytes
    # A machine with room for one and a half: this one can't be filled up for a test.
    monkeypatch.setattr(weights, "free_bytes", lambda kind: int(1.5 * size) - cache.bytes)
    cache.get(second, CLASSIFIER)
    assert [card["model"] for card in cache.list_cards()] == [str(second)]
    # One that would not fit even then costs nobody's model.
    monkeypatch.setattr(weights, "free_bytes", lambda kind: -size // 2)
    with pytest.raises(weights.NotEnoughMemory):
        cache.get(first, CLASSIFIER)
    assert cache.find_loaded(second) is not None


def test_a_tokenizer_is_never_shared_between_threads(models: ModelCache) -> None:
    """Each thread pads to another length; met on one tokenizer without a lock, rows come back wrong."""
    wrong: list[tuple[int, int]] = []

    def work(length: int) -> None:
        for _ in range(40):
            with models.hold_tokenizer(ModelRef.parse("embedded:minilm")) as tokenizer:
                batch = tokenizer(["a", "a b c"], padding="max_length", max_length=length, truncation=True)
            wrong.extend((length, len(ids)) for ids in batch["input_ids"] if len(ids) != length)

    threads = [threading.Thread(target=work, args=(length,)) for length in range(8, 16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.fixture
def changing(tiny: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model that a test may write into."""
    return shutil.copytree(tiny, tmp_path / "changing")


def save_other(folder: Path, name: str) -> None:
    """Save another model of the same size into `folder`, its first label called `name`."""
    from transformers import BertConfig, BertForSequenceClassification

    config = BertConfig.from_pretrained(folder)
    config.id2label[0] = name
    BertForSequenceClassification(config).save_pretrained(folder)


def head_of(loaded: LoadedModel) -> list[float]:
    found: list[float] = loaded.model.classifier.weight[0].tolist()
    return found


def test_a_folder_that_is_saved_anew_is_loaded_anew_and_its_card_says_so(settings: Settings, changing: Path) -> None:
    cache, ref = ModelCache(settings), ModelRef.parse(str(changing))
    before = cache.get(ref, CLASSIFIER)
    assert cache.get(ref, CLASSIFIER) is before
    save_other(changing, "crimson")
    after = cache.get(ref, CLASSIFIER)
    assert head_of(after) != head_of(before)
    card = after.card()
    assert card["labels"][0] == "crimson"
    assert any("(config.json, model.safetensors), so it was loaded anew." in each for each in card["warnings"])
    assert cache.get(ref, CLASSIFIER) is after
    assert len(cache.list_cards()) == 1


def test_a_loaded_model_stays_what_it_is_while_its_files_are_overwritten(settings: Settings, changing: Path) -> None:
    """The library maps weights: what is written in place would be computed with, and a cut file ends the process."""
    loaded = ModelCache(settings).get(ModelRef.parse(str(changing)), CLASSIFIER)
    if sys.platform == "linux":
        assert str(changing) not in Path("/proc/self/maps").read_text(encoding="utf-8")
    before = head_of(loaded)
    with (changing / "model.safetensors").open("r+b") as file:
        file.truncate(64)
    assert head_of(loaded) == before
    assert loaded.model(**loaded.tokenizer("the car", return_tensors="pt")).logits.isfinite().all()


def test_files_that_change_while_they_are_read_are_refused(settings: Settings, changing: Path) -> None:
    cache, ref = ModelCache(settings), ModelRef.parse(str(changing))

    def overwrite(what: str, done: int, total: int) -> None:
        (changing / "config.json").write_text((changing / "config.json").read_text() + " ")

    with pytest.raises(ModelError, match=r"changed while they were read \(config.json\). Try again"):
        cache.get(ref, CLASSIFIER, progress=overwrite)
    assert cache.list_cards() == []
    assert cache.get(ref, CLASSIFIER).report.is_trustworthy


@pytest.mark.parametrize("written", ["base", "adapter"])
def test_an_adapter_is_loaded_anew_when_it_or_its_base_changes(
    settings: Settings, changing: Path, tmp_path: Path, written: str
) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(changing)
    adapted = get_peft_model(model, LoraConfig(task_type="SEQ_CLS", r=2, target_modules=["query"]))
    adapted.save_pretrained(tmp_path / "adapter")
    shutil.copy(changing / "config.json", tmp_path / "adapter")
    cache, ref = ModelCache(settings), ModelRef.parse(str(tmp_path / "adapter"))
    before = cache.get(ref, CLASSIFIER)
    if written == "base":
        save_other(changing, "crimson")
    else:
        adapted.save_pretrained(tmp_path / "adapter")
    assert cache.get(ref, CLASSIFIER) is not before


def test_a_tokenizer_that_is_saved_anew_is_loaded_anew(settings: Settings, changing: Path) -> None:
    cache, ref = ModelCache(settings), ModelRef.parse(str(changing))
    with cache.hold_tokenizer(ref) as before:
        assert not before.chat_template
    before.chat_template = "{{ messages }}"
    before.save_pretrained(changing)
    assert cache.has_chat_template(ref)
    with cache.hold_tokenizer(ref) as after:
        assert after is not before


def test_a_folder_that_is_gone_has_no_model(settings: Settings, changing: Path) -> None:
    cache, ref = ModelCache(settings), ModelRef.parse(str(changing))
    cache.get(ref, CLASSIFIER)
    shutil.rmtree(changing)
    with pytest.raises(ModelError, match="There is no folder"):
        cache.get(ref, CLASSIFIER)
