"""Pages that were closed are forgotten: memory, threads and files of a server are what they were before."""

import asyncio
from pathlib import Path

import gradio as gr
import psutil
import pytest
from gradio_client import Client

from benchmarks.soak_sessions import find_excess, soak
from hfdemo.api.sessions import SessionGuard
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


@pytest.mark.soak
@pytest.mark.parametrize("sessions", [200, 2_000])
def test_of_pages_that_were_opened_and_closed_nothing_stays(sessions: int, tmp_path: Path) -> None:
    with serve(tmp_path, HFDEMO_SESSION_SECONDS="2", HFDEMO_SESSIONS="4000") as server:
        before, after = soak(server.url, psutil.Process(server.process.pid), tmp_path, sessions)
    assert find_excess(before, after) == ""
