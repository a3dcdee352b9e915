"""The bounded cache: one load per model, the oldest out first, and unloading for real."""

import threading
from pathlib import Path

import pytest

from hfdemo.errors import ModelError
from hfdemo.models.memory import ModelCache
from hfdemo.models.reference import ModelRef
from hfdemo.settings import Settings

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
    assert len(cache.cards()) == 2


def test_the_least_recently_used_model_goes_first_when_the_budget_is_spent(settings: Settings, tiny: Path) -> None:
    size = ModelCache(settings).get(ModelRef.parse(str(tiny)), CLASSIFIER).bytes
    cache = ModelCache(Settings(home=settings.home, model_bytes=int(2.5 * size)))
    first, second, third = (ModelRef.parse(text) for text in (str(tiny), f"untrained:{tiny}", f"{tiny}/"))
    cache.get(first, CLASSIFIER)
    cache.get(second, CLASSIFIER)
    cache.get(first, CLASSIFIER)
    cache.get(third, CLASSIFIER)
    assert [card["model"] for card in cache.cards()] == [str(third), str(first)]
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


def test_a_tokenizer_is_never_shared_between_threads(models: ModelCache) -> None:
    """Each thread pads to another length; met on one tokenizer without a lock, rows come back wrong."""
    wrong: list[tuple[int, int]] = []

    def work(length: int) -> None:
        for _ in range(40):
            with models.tokenizer(ModelRef.parse("embedded:minilm")) as tokenizer:
                batch = tokenizer(["a", "a b c"], padding="max_length", max_length=length, truncation=True)
            wrong.extend((length, len(ids)) for ids in batch["input_ids"] if len(ids) != length)

    threads = [threading.Thread(target=work, args=(length,)) for length in range(8, 16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
