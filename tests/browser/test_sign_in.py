"""A person signs in to a server with users, finds what is theirs, and signs out."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from hfdemo.ownership import OWNER_FILE
from hfdemo.settings import Settings
from hfdemo.users import make_line, write_user
from tests.browser.pages import PATIENT, box, fits, resize, shoot, tab
from tests.conftest import Server, serve
from tests.ui.tabs.finetune.reports import a_run

pytestmark = [pytest.mark.browser, pytest.mark.slow]
HERS, HIS = "20260101-120000-hers", "20260102-120000-his"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("guarded")
    write_user(home / "users", make_line("anna", "correct horse"))
    for run, owner in ((HERS, "user-anna"), (HIS, "user-bob")):
        (a_run(Settings(home=home), "single_label", run).folder / OWNER_FILE).write_text(owner)
    uploads = str(home / "cache" / "gradio")
    with serve(home, forking=True, HFDEMO_AUTH=str(home / "users"), GRADIO_TEMP_DIR=uploads) as running:
        yield running


def test_who_signs_in_comes_to_where_they_wanted_sees_their_own_and_leaves(browser: Browser, guarded: Server) -> None:
    page = browser.contexts[0].new_page()
    resize(page, 390)
    page.goto(f"{guarded.url}/?task=text-classification&text=Typed+before")
    name, password = page.get_by_label("Name"), page.get_by_label("Password")
    expect(name).to_be_focused()
    shoot(page, "sign-in-390-light")
    page.keyboard.type("anna")
    page.keyboard.press("Tab")
    page.keyboard.type("wrong horse")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("The name or the password is wrong.")
    page.emulate_media(color_scheme="dark")
    resize(page, 1440)
    shoot(page, "sign-in-1440-dark")
    page.emulate_media(color_scheme="light")
    name.fill("anna")
    password.fill("correct horse")
    page.get_by_role("button", name="Sign in").click()
    expect(box(page, "Text")).to_have_value("Typed before", timeout=PATIENT)
    expect(page.get_by_text("anna · Sign out")).to_be_visible(timeout=PATIENT)
    for width in (390, 1440):
        resize(page, width)
        fits(page)
        shoot(page, f"signed-in-{width}-light")
    tab(page, "Fine-tune")
    expect(page.locator(".hf-run").first).to_contain_text(HERS, timeout=PATIENT)
    expect(page.get_by_text(HIS)).to_have_count(0)
    page.evaluate("hfdemo.keep('run', 'text-classification', ['text'])('hers')")
    page.get_by_role("link", name="Sign out").click()
    expect(name).to_be_visible()
    assert page.evaluate("sessionStorage.length") == 0, "what she typed is not for who signs in next"
    page.goto(guarded.url)
    expect(name).to_be_visible()
