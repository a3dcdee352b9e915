"""On a Space a run belongs to the Hub user who made it, in each of their browsers: with gradio's own sign-in."""

import json
import time
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import httpx2 as httpx
import pytest
from itsdangerous import TimestampSigner

from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.runs import RunStore
from hfdemo.settings import Settings
from tests.api.hub import SECRET, HubBrowser, Provider, hub
from tests.conftest import Server, serve

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with hub() as provider:
        yield provider


@pytest.fixture(scope="module")
def space(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("space")
    environment = {"GRADIO_TEMP_DIR": str(home / "cache" / "gradio"), **provider.environment}
    with serve(home, None, forking=False, **environment) as running:  # gradio reads these when it is imported
        yield running


@pytest.fixture(scope="module")
def run(space: Server, colours: Path) -> str:
    """A run of anna's."""
    owned = Settings(home=space.home, public=True).of_owner("hub-id-of-anna")
    return RunStore(owned).create(RunConfig("colours"), colours).id


def runs_of(browser: HubBrowser, **headers: str) -> list[str]:
    return [each["run"] for each in browser.call("list_runs", **headers)]


def write_session(secret: str, expires_at: float) -> str:
    """Return gradio's session cookie of anna as whoever has `secret` writes it."""
    info = {"userinfo": {"sub": "id-of-anna", "preferred_username": "anna"}, "expires_at": expires_at}
    key = sha256(f"{secret}-v4".encode()).hexdigest()
    return TimestampSigner(key).sign(b64encode(json.dumps({"oauth_info": info}).encode())).decode()


def test_a_hub_user_has_the_same_runs_in_each_browser_and_others_have_none(
    space: Server, provider: Provider, run: str
) -> None:
    at_work, at_home, other, nobody = (HubBrowser(space.url, provider) for _ in range(4))
    assert runs_of(at_work) == []
    assert at_work.sign_in("anna").headers["location"] == "/"
    at_home.sign_in("anna")
    other.sign_in("bob")
    assert [runs_of(each) for each in (at_work, at_home, other, nobody)] == [[run], [run], [], []]
    assert at_work.call("set_run_notes", run, "from work")["notes"] == "from work"
    assert at_home.call("run_status", run)["state"] == at_work.call("run_status", run)["state"]
    assert other.call("run_status", run) == nobody.call("run_status", run) == "There is no such run."
    # What was sent in one browser is theirs in the other.
    sent = httpx.post(
        f"{space.url}/gradio_api/upload", files=[("files", ("a.csv", b"text\nhers"))], cookies=at_work.cookies
    )
    read = [each.get(f"/gradio_api/file={sent.json()[0]}").status_code for each in (at_work, at_home, other, nobody)]
    assert read == [200, 200, 403, 403]
    # The visitor whom the cookie names is somebody else, and whoever signs out is that visitor again.
    assert runs_of(nobody, X_Hfdemo_Visitor=at_work.cookies["hfdemo_visitor"]) == []
    at_work.get("/logout")
    assert (runs_of(at_work), runs_of(at_home)) == ([], [run])


def test_a_run_that_is_begun_is_the_hub_user_s(space: Server, provider: Provider) -> None:
    here, elsewhere = (HubBrowser(space.url, provider) for _ in range(2))
    here.sign_in("carol")
    elsewhere.sign_in("carol")
    begun = here.call("start_run", {"dataset": "tickets", "method": "frozen", "training": {"max_steps": 1}}, None)
    assert (space.home / "runs" / begun["run"] / "owner").read_text() == "hub-id-of-carol"
    assert runs_of(elsewhere) == [begun["run"]]
    elsewhere.call("stop_run", begun["run"], False)


def test_a_session_speaks_for_its_user_only_from_here_and_until_it_expires(
    space: Server, provider: Provider, run: str
) -> None:
    browser = HubBrowser(space.url, provider)
    browser.sign_in("anna")
    assert runs_of(browser, Sec_Fetch_Site="same-origin") == [run]
    # gradio's cookie is sent with whatever another page asks for: it says SameSite=None.
    assert runs_of(browser, Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="cors") == []
    for secret, expires_at, seen in (
        (SECRET, time.time() + 600, [run]),
        (SECRET, time.time() - 5, []),
        ("", time.time() + 600, []),  # with which gradio signs where no sign-in is set up
        ("another", time.time() + 600, []),
    ):
        browser.cookies["session"] = write_session(secret, expires_at)
        assert runs_of(browser) == seen, secret


def test_the_page_offers_to_sign_in(space: Server, provider: Provider, server: Server) -> None:
    def buttons(url: str) -> list[str]:
        page = httpx.get(f"{url}/config").json()
        values = [each["props"].get("value") for each in page["components"] if each["type"] == "button"]
        return [value for value in values if "Hugging Face" in str(value)]

    assert buttons(space.url) == ["Sign in with Hugging Face"]
    assert buttons(server.url) == [], "where gradio would only make believe"


def test_where_nobody_signs_in_a_session_says_nothing(public: Server, provider: Provider) -> None:
    browser = HubBrowser(public.url, provider)
    run = RunStore(Settings(home=public.home, public=True).of_owner("hub-id-of-anna")).create(
        RunConfig("tickets"), None
    )
    browser.cookies["session"] = write_session("", time.time() + 600)
    assert browser.call("run_status", run.id) == "There is no such run."
