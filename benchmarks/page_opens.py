"""How soon the page can be used, beside an Interface of gradio's with one box.

    python -m benchmarks.page_opens [rounds]

Both are opened in turns by a browser that has nothing of them, then by one that has been there, and answer with the
same model; then eight browsers open the page forty times. Compare the two within one run only: seconds depend on the
machine. Exits with 1 where an opening fails, or where the page is not usable within twice the Interface's time.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import Browser, BrowserContext, sync_playwright

from hfdemo.ui.tabs.run.task_panel import RUN_BUTTON
from tests.browser.find import launch_options
from tests.browser.pages import PATIENT
from tests.browser.test_openings import open_at_once
from tests.conftest import free_port, serve, wait_until
from tests.zoo import make

CLAIM = 2.0
ROUNDS = 6
OPENINGS = 40
TEXT = "A lamp that lights the whole room."
# What a person writes for the same model: two lines, but for the imports.
INTERFACE = """
import sys, gradio as gr
from transformers import pipeline
classify = pipeline("text-classification", sys.argv[1], top_k=None)
gr.Interface(lambda text: {each["label"]: each["score"] for each in classify(text)[0]}, "text", "label").launch()
"""


@dataclass(frozen=True)
class Rival:
    """A page: its address, where one types, the button that answers, and the answer once it is drawn."""

    url: str
    box: str
    button: str
    answer: str


@dataclass(frozen=True)
class Opening:
    """What an opening took: seconds until the button is there, seconds from a click to the answer, bytes, requests."""

    usable: float
    answered: float
    bytes: int
    requests: int


def open_once(context: BrowserContext, rival: Rival) -> Opening:
    """Open the page in a tab of its own, type, press the button, and close it when the answer is drawn."""
    page = context.new_page()
    sizes: list[int] = []
    network = context.new_cdp_session(page)
    network.send("Network.enable")
    network.on("Network.loadingFinished", lambda event: sizes.append(int(event["encodedDataLength"])))
    began = time.perf_counter()
    page.goto(rival.url, wait_until="commit", timeout=PATIENT)
    button = page.locator(rival.button)
    button.wait_for(timeout=PATIENT)
    usable = time.perf_counter() - began
    page.wait_for_timeout(2_000)  # the page answers its example by itself
    taken = sum(sizes), len(sizes)
    page.locator(f"{rival.box}:visible").first.fill(TEXT)
    for each in page.locator(rival.answer).all():
        each.evaluate("element => { element.dataset.old = true }")  # gone where it is drawn anew
    began = time.perf_counter()
    button.click()
    page.locator(f"{rival.answer}:not([data-old])").first.wait_for(timeout=PATIENT)
    answered = time.perf_counter() - began
    page.close()
    return Opening(usable, answered, *taken)


def compare(browser: Browser, rivals: Sequence[Rival], rounds: int) -> dict[str, list[list[Opening]]]:
    """Open each of the pages in turns; return the openings of each, by a new browser and by one that comes again."""
    found: dict[str, list[list[Opening]]] = {"first visit": [[] for _ in rivals], "again": [[] for _ in rivals]}
    for _ in range(rounds + 1):
        for index, rival in enumerate(rivals):
            context = browser.new_context(viewport={"width": 1440, "height": 900})
            for visit in found.values():
                visit[index].append(open_once(context, rival))
            context.close()
    return {name: [each[1:] for each in visit] for name, visit in found.items()}  # of the first, models are loaded


def describe(found: dict[str, list[list[Opening]]]) -> str:
    """Return a line for each measure: the Interface's median, the page's, and the median of the pairs' ratios."""
    lines = [f"{'':34s} {'Interface':>10} {'hfdemo':>10} {'ratio':>7}"]
    for visit, (theirs, ours) in found.items():
        for title, name, factor in (
            ("usable, ms", "usable", 1000),
            ("click to answer, ms", "answered", 1000),
            ("kilobytes", "bytes", 1e-3),
            ("requests", "requests", 1),
        ):
            pairs = [
                (getattr(one, name) * factor, getattr(other, name) * factor)
                for one, other in zip(theirs, ours, strict=True)
            ]
            medians = [statistics.median(side) for side in zip(*pairs, strict=True)]
            ratio = statistics.median(other / one if one else float("nan") for one, other in pairs)
            lines.append(f"{visit + ': ' + title:34s} {medians[0]:10,.0f} {medians[1]:10,.0f} {ratio:7.2f}")
    return "\n".join(lines)


def find_ratio(found: dict[str, list[list[Opening]]]) -> float:
    """Return how many times as long a first visit waits for the page as for the Interface."""
    theirs, ours = found["first visit"]
    return statistics.median(other.usable / one.usable for one, other in zip(theirs, ours, strict=True))


@contextlib.contextmanager
def serve_interface(model: Path) -> Iterator[str]:
    """Serve the Interface of two lines, and yield its address."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", INTERFACE, str(model)],
        env={**os.environ, "GRADIO_SERVER_PORT": str(port)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        with contextlib.suppress(OSError):
            return bool(urllib.request.urlopen(f"{url}/config", timeout=2).status == 200)
        return False

    try:
        wait_until(answers, 240, "the Interface")
        yield url
    finally:
        process.terminate()
        process.wait(60)


def main(rounds: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        model = make("text-classification", Path(folder) / "model")
        with serve(Path(folder) / "home") as server, serve_interface(model) as interface:
            asked = f"{server.url}/?task=text-classification&model={quote(str(model))}&text=Hello"
            rivals = (
                Rival(interface, "textarea", "button.primary", "[data-testid=label-output-value]"),
                Rival(asked, "textarea", f"#{RUN_BUTTON}", ".hf-label"),
            )
            print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores before it began, {rounds} rounds")
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(**launch_options())
                found = compare(browser, rivals, rounds)
                browser.close()
            print(describe(found), flush=True)
            began = time.monotonic()
            wrong = open_at_once(server.url, OPENINGS)
            drawn, seconds = OPENINGS - len(wrong), time.monotonic() - began
            print(f"{OPENINGS} openings by 8 browsers at once: {drawn} drew the page, {seconds:.0f} s for all")
    return int(bool(wrong) or find_ratio(found) > CLAIM)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if sys.argv[1:] else ROUNDS))
