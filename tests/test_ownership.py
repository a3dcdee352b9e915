"""Settings with an owner see what is that owner's alone, by every name and every path."""

import re
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hfdemo.api import App, finetuning
from hfdemo.data_sources import read_corpus
from hfdemo.errors import DemoError, ModelError, RunError
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.runs import Run, RunStore
from hfdemo.finetuning.runs.search import SearchStore
from hfdemo.models.cache import ModelCache
from hfdemo.models.folders import adapter_bases, list_offline_models, local_folder
from hfdemo.models.reference import ModelRef
from hfdemo.models.trained_tokenizers import train_from_file, trained_names
from hfdemo.ownership import SHARE_FILE
from hfdemo.settings import Settings
from tests.conftest import ROOT
from tests.finetuning.test_preflight import copy_adapter

NO_RUN = r"^There is no such run\.$"


@pytest.fixture
def run(settings: Settings, colours: Path, tiny: Path) -> Run:
    """A run of anna's that has a model, made as her server makes it."""
    store = RunStore(settings).of_owner("anna")
    made = store.create(RunConfig("colours"), colours)
    (made.folder / "model").mkdir()
    for path in tiny.iterdir():
        (made.folder / "model" / path.name).write_bytes(path.read_bytes())
    return made


def test_a_store_holds_the_runs_of_its_owner_and_the_server_all(settings: Settings, run: Run) -> None:
    store = RunStore(settings)
    listed = {owner: [each.id for each in store.of_owner(owner).list()] for owner in ("anna", "bob", "")}
    assert listed == {"anna": [run.id], "bob": [], "": [run.id]}
    assert re.fullmatch(r"\d{8}-\d{6}-colours-[0-9a-f]{16}", run.id), "nobody guesses it"
    assert (run.folder / "owner").read_text() == "anna"
    bob = store.of_owner("bob")
    for act in (bob.get, bob.stop, bob.resume, bob.duplicate, bob.delete, lambda run: bob.set_notes(run, "mine")):
        with pytest.raises(RunError, match=NO_RUN):
            act(run.id)
    store.of_owner("anna").set_notes(run.id, "mine")
    assert run.notes == "mine"


def test_what_shows_a_run_to_others_is_in_no_copy_of_it(settings: Settings, run: Run, tmp_path: Path) -> None:
    store = RunStore(settings).of_owner("anna")
    named = store.share(run.id)
    secret = named.removeprefix(f"{run.id}.")
    assert store.of_owner("bob").find_readable(named).folder == run.folder
    again = store.create(store.duplicate(run.id))
    assert not (again.folder / SHARE_FILE).exists()
    with pytest.raises(RunError, match=NO_RUN):
        store.of_owner("bob").find_readable(f"{again.id}.{secret}")
    with zipfile.ZipFile(run.archive(tmp_path)) as file:
        assert f"{run.id}/config.json" in file.namelist()
        assert not any(secret in file.read(name).decode(errors="replace") for name in file.namelist())
        assert f"{run.id}/{SHARE_FILE}" not in file.namelist()
    store.unshare(run.id)
    assert not (run.folder / SHARE_FILE).exists()
    store.unshare(run.id)


def test_of_two_links_that_are_asked_for_at_once_both_are_the_same(settings: Settings, run: Run) -> None:
    store = RunStore(settings).of_owner("anna")
    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(store.share, [run.id] * 16))) == 1


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"secret": ""}', '{"secret": null}', "null", "\x00"])
def test_a_damaged_file_of_a_link_shares_nothing(settings: Settings, run: Run, content: str) -> None:
    (run.folder / SHARE_FILE).write_text(content)
    bob = RunStore(settings).of_owner("bob")
    for secret in ("", "None", "null", "{}", "\ud800"):
        with pytest.raises(RunError, match=NO_RUN):
            bob.find_readable(f"{run.id}.{secret}")


def test_who_watches_a_run_by_its_link_sees_no_more_of_it_once_it_is_not_shared(settings: Settings, run: Run) -> None:
    anna, bob = (App.create(settings.of_owner(owner)) for owner in ("anna", "bob"))
    watched = finetuning.watch_run(bob, finetuning.share_run(anna, run.id)["run"])
    assert next(watched)["state"] == "starting"
    finetuning.unshare_run(anna, run.id)
    with pytest.raises(RunError, match=NO_RUN):
        next(watched)


def test_what_is_made_of_a_run_is_named_after_its_data_alone(settings: Settings, run: Run) -> None:
    store = RunStore(settings).of_owner("anna")
    again = store.create(store.duplicate(run.id))
    assert re.fullmatch(r"\d{8}-\d{6}-colours-[0-9a-f]{16}", again.id)
    with pytest.raises(DemoError, match=NO_RUN):
        RunStore(settings).of_owner("bob").create(again.config)


def test_a_run_of_nobody_is_the_only_owner_s_of_a_local_server(settings: Settings, colours: Path) -> None:
    run = RunStore(settings).create(RunConfig("colours"), colours)
    assert re.fullmatch(r"\d{8}-\d{6}-colours", run.id)
    assert not (run.folder / "owner").exists()
    assert RunStore(settings).get(run.id).id == RunStore(settings).share(run.id) == run.id
    assert not (run.folder / SHARE_FILE).exists(), "there is nobody to keep it from"
    assert RunStore(settings).of_owner("anna").list() == []


@pytest.mark.parametrize("reference", ["run:{run}", "untrained:run:{run}", "{home}/runs/{run}/model"])
def test_a_model_of_another_is_not_there_even_while_it_is_loaded(settings: Settings, run: Run, reference: str) -> None:
    ref = ModelRef.parse(reference.format(run=run.id, home=settings.home))
    cache = ModelCache(settings)
    anna, bob = cache.of_owner("anna"), cache.of_owner("bob")
    loading = anna if "run:" in reference else cache
    loading.get(ref, "AutoModelForSequenceClassification")
    with loading.hold_tokenizer(ref):
        pass
    assert [card["model"] for card in loading.list_cards()] == [str(ref)]
    assert bob.list_cards() == []
    assert bob.find_loaded(ref) is None
    for use in (
        lambda: bob.get(ref, "AutoModelForSequenceClassification"),
        lambda: bob.hold_tokenizer(ref).__enter__(),
        lambda: local_folder(ref, bob.settings),
        lambda: bob.unload(ref),
    ):
        with pytest.raises(ModelError, match=r"There is no (such run|folder)|Loaded models: none"):
            use()
    assert f"run:{run.id}" not in list_offline_models(bob.settings)
    assert f"run:{run.id}" in list_offline_models(anna.settings)


@pytest.mark.parametrize("base", ["run:{run}", "{home}/runs/{run}/model"])
def test_an_adapter_leads_to_no_run_of_another(settings: Settings, run: Run, tmp_path: Path, base: str) -> None:
    adapter = copy_adapter(tmp_path / "adapter", base.format(run=run.id, home=settings.home))
    assert adapter_bases(adapter, settings)
    with pytest.raises(ModelError, match="There is no "):
        ModelCache(settings).of_owner("bob").get(ModelRef.parse(str(adapter)), "AutoModelForSequenceClassification")


@pytest.mark.parametrize("dataset", ["run:{run}", "{home}/runs/{run}/data/train.csv"])
def test_the_data_of_another_is_not_there(settings: Settings, run: Run, dataset: str) -> None:
    named = dataset.format(run=run.id, home=settings.home)
    with pytest.raises(DemoError, match=r"There (is|can be) no "):
        read_corpus(named, settings.of_owner("bob"))
    assert read_corpus(named, settings).tables


def test_the_same_text_gives_each_owner_a_tokenizer_of_their_own(settings: Settings, tmp_path: Path) -> None:
    text = tmp_path / "a.txt"
    text.write_text("A tug tows, and towed ships follow. " * 20)
    anna, bob = settings.of_owner("anna"), settings.of_owner("bob")
    theirs = train_from_file(text, "bpe", 300, anna)
    assert train_from_file(text, "bpe", 300, bob) != theirs
    assert trained_names(anna) == [theirs.name]
    cache = ModelCache(settings)
    with cache.of_owner("anna").hold_tokenizer(theirs) as tokenizer:
        assert tokenizer("tug")["input_ids"]
    with pytest.raises(ModelError, match="There is no tokenizer:"), cache.of_owner("bob").hold_tokenizer(theirs):
        pass


def test_a_search_is_its_owner_s(settings: Settings) -> None:
    folder = settings.home / "searches" / "20260101-000000-x"
    folder.mkdir(parents=True)
    (folder / "search.json").write_text("{}")
    (folder / "owner").write_text("anna")
    searches = SearchStore(settings, RunStore(settings))
    assert [len(searches.of_owner(owner).list()) for owner in ("anna", "bob", "")] == [1, 0, 1]
    assert searches.of_owner("anna").get(folder.name).id == folder.name
    with pytest.raises(RunError, match=r"^There is no such search\.$"):
        searches.of_owner("bob").get(folder.name)


def test_only_what_asks_whose_it_is_looks_for_runs_and_searches() -> None:
    # A module that goes through these folders itself sees those of everybody.
    looking = re.compile(r"settings\.runs\b|/ \"(runs|searches|tokenizers)\"")
    files = (ROOT / "hfdemo").rglob("*.py")
    found = {str(path.relative_to(ROOT)) for path in files if looking.search(path.read_text(encoding="utf-8"))}
    assert found == {
        "hfdemo/settings.py",
        "hfdemo/ownership.py",  # what those of everybody take of the disk
        "hfdemo/data_sources/__init__.py",
        "hfdemo/models/folders.py",
        "hfdemo/models/trained_tokenizers.py",
        "hfdemo/finetuning/preflight/__init__.py",  # the disk that holds them
        "hfdemo/finetuning/runs/store.py",
        "hfdemo/finetuning/runs/search.py",
    }
