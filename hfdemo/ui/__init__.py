"""The page: three tabs over the same endpoints that clients call."""

from __future__ import annotations

from typing import Any

import gradio as gr

from hfdemo.api import Endpoints
from hfdemo.devices import find_device
from hfdemo.finetuning.runs import RunStore
from hfdemo.models.memory import ModelCache
from hfdemo.settings import Settings
from hfdemo.ui import finetuning, html, inference, tokens
from hfdemo.ui.finetuning.doctor_styles import DOCTOR_CSS
from hfdemo.ui.finetuning.styles import RUNS_CSS
from hfdemo.ui.styles import CSS
from hfdemo.ui.theme import theme
from hfdemo.ui.tokens.styles import TOKENS_CSS
from hfdemo.ui.wiring import QUIET


def build(settings: Settings) -> gr.Blocks:
    """The whole app: page, endpoints and MCP tools, not launched yet."""
    endpoints = Endpoints(settings, ModelCache(settings), RunStore(settings))
    endpoints.runs.adopt()
    with gr.Blocks(title="hfdemo", analytics_enabled=False, delete_cache=(3600, 86400)) as demo:
        endpoints.register()  # before the page: a handler that is called like an endpoint would take its name
        header = gr.HTML(html.header("looking for the device …"))
        with gr.Tabs() as tabs:
            with gr.Tab("Run a model", id="run"):
                task, model = inference.build(endpoints, demo)
            with gr.Tab("See the tokens", id="tokens"):
                chosen = tokens.build(endpoints, demo, tabs)
            with gr.Tab("Fine-tune", id="finetune"):
                finetuning.build(endpoints, demo, task, model, tabs, chosen)
        # Asking for the device imports torch, so the page is drawn first.
        demo.load(lambda: html.header(str(find_device())), outputs=header, **QUIET)
    demo.queue(default_concurrency_limit=16)
    return demo


def launch_options(settings: Settings) -> dict[str, Any]:
    """What `demo.launch` needs besides an address: the look, the limits and the MCP server."""
    return {
        "theme": theme(),
        "css": CSS + TOKENS_CSS + DOCTOR_CSS + RUNS_CSS,
        "mcp_server": True,
        "show_error": True,
        "ssr_mode": False,
        "enable_monitoring": False,
        "max_file_size": settings.max_upload_bytes,
        "state_session_capacity": 1000,
        "footer_links": ["api", "settings"],
    }
