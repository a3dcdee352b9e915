"""A page is remembered with little, and one that was closed not at all: a server is what it was before."""

import asyncio
import time
from pathlib import Path

import gradio as gr
import psutil
import pytest
from gradio.blocks import BlocksConfig
from gradio.state_holder import SessionState
from gradio_client import Client

from benchmarks.soak_sessions import find_excess, soak
from hfdemo.api.sessions import SessionGuard
from hfdemo.engine import InlineEngine
from hfdemo.settings import Settings
from hfdemo.ui import build
from tests.conftest import serve


@pytest.mark.slow
def test_of_a_closed_page_gradio_s_queue_remembers_nothing_either() -> None:
    with gr.Blocks() as blocks:
        gr.Button().click(lambda: "answer", None, gr.Textbox(), api_name="answer")
    _, url, _ = blocks.launch(prevent_thread_lock=True, quiet=True)
    try:
        client = Client(url, verbose=False)
        assert client.predict(api_name="/answer") == "answer"
        queue, session = blocks._queue, client.session_hash
        known = (queue.pending_event_ids_session, queue.pending_messages_per_session)
        assert any(session in each for each in known), "what is forgotten was there"

        async def forget() -> None:
            SessionGuard(blocks.app, seconds=0)._forget(session, blocks.app)

        queue.pending_event_ids_session[session].add("at work")
        asyncio.run(forget())
        assert session in queue.pending_event_ids_session
        queue.pending_event_ids_session[session].clear()
        asyncio.run(forget())
        assert not any(session in each for each in known)
    finally:
        blocks.close()


@pytest.mark.slow
def test_a_page_begins_with_what_is_known_of_its_components_and_keeps_its_values_to_itself(settings: Settings) -> None:
    """gradio works it out for each page and each call: a tenth of a second in which nobody else is answered."""
    demo = build(settings, InlineEngine(settings))
    demo.is_running = True
    fresh = {number: BlocksConfig.config_for_block(number, [], each) for number, each in demo.blocks.items()}
    began = time.process_time()
    one = SessionState(demo)
    first, began = time.process_time() - began, time.process_time()
    other = SessionState(demo)
    assert time.process_time() - began < first / 3
    assert one.config_values == other.config_values == fresh
    box = next(number for number, each in demo.blocks.items() if isinstance(each, gr.Textbox))
    one._update_value_in_config(box, "what one page says")
    assert other.config_values[box] == fresh[box]
    assert SessionState(demo).config_values == fresh
    one[box] = gr.Textbox("another")
    one._update_config(box)
    assert one.config_values[box]["props"]["value"] == "another"
    assert SessionState(demo).config_values == fresh


@pytest.mark.soak
@pytest.mark.parametrize("sessions", [200, 2_000])
def test_of_pages_that_were_opened_and_closed_nothing_stays(sessions: int, tmp_path: Path) -> None:
    with serve(tmp_path, HFDEMO_SESSION_SECONDS="2", HFDEMO_SESSIONS="4000") as server:
        before, after = soak(server.url, psutil.Process(server.process.pid), tmp_path, sessions)
    assert find_excess(before, after) == ""
