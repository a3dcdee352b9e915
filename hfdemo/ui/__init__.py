"""The page: three tabs over the same endpoints that clients call."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import gradio as gr
from starlette.middleware import Middleware

from hfdemo.api import App
from hfdemo.api.compression import compression
from hfdemo.api.content_policy import content_policy
from hfdemo.api.endpoints import register_endpoints
from hfdemo.api.error_boundary import ServedBlocks
from hfdemo.api.mcp_calls import McpGuard
from hfdemo.api.request_bodies import EXCEPTION_HANDLERS, body_guards
from hfdemo.api.request_guard import request_guard
from hfdemo.api.sessions import SharedConfig
from hfdemo.api.user_guard import user_guards
from hfdemo.api.visitor_guard import visitor_guards
from hfdemo.api.visitor_limits import visitor_limits
from hfdemo.devices import find_device
from hfdemo.engine import Engine
from hfdemo.settings import Settings
from hfdemo.ui import glossary, html
from hfdemo.ui.appearance import STYLE_SHEETS, build_head, build_theme, read_scripts
from hfdemo.ui.event_handling import PRIVATE, QUIET, when_opened
from hfdemo.ui.link_preview import link_preview, picture_route
from hfdemo.ui.page_state import PageState
from hfdemo.ui.tabs import finetune, run, tokens

# What a Space has in its environment where people can sign in.
HUB_SIGN_IN = ("OAUTH_CLIENT_ID", "OAUTH_CLIENT_SECRET", "OAUTH_SCOPES", "OPENID_PROVIDER_URL")


class ComponentsById(dict[int, Any]):
    """The components of a page, which may grow in one thread while another goes through them.

    gradio draws a panel in the first while an event of the same page runs in the second, and the panel was lost.
    """

    def keys(self) -> Any:
        return dict(self.items()).keys()

    def values(self) -> Any:
        return dict(self.items()).values()

    def items(self) -> Any:
        return dict(list(super().items())).items()


def build_header(settings: Settings, environment: Mapping[str, str] = os.environ) -> gr.HTML:
    """Build the head of the page; on a Space with `hf_oauth: true` one can sign in with the Hub there."""
    offers_hub = environment.get("SYSTEM") == "spaces" and all(map(environment.get, HUB_SIGN_IN))
    with gr.Row(equal_height=False):
        with gr.Column(min_width=300):  # on a phone the button is below
            header = gr.HTML(html.page_header("looking for the device …"))
        if offers_hub and settings.auth is None:
            gr.LoginButton(logout_value="Sign out ({})", size="sm", scale=0, min_width=240)
    return header


def build_tab(title: str, name: str) -> gr.Tab:
    """Build a tab of the page, which the address of the page calls `name`."""
    tab = gr.Tab(title, id=name, elem_id=f"tab-{name}")
    tab.select(None, js=f"hfdemo.nameTab({json.dumps(name)})", **PRIVATE)
    return tab


def put_hidden_first(demo: gr.Blocks) -> None:
    """Move states, and data for scripts alone, to the front of the layout: there a page finds each of them at once."""
    blocks = list(demo.blocks.values())
    hidden = [each for each in blocks if isinstance(each, gr.State) or (isinstance(each, gr.JSON) and not each.visible)]
    for block in hidden:
        block.parent.children.remove(block)
        block.parent = demo
    demo.children[:0] = hidden


def build(settings: Settings, engine: Engine | None = None) -> gr.Blocks:
    """Build the whole app: page, endpoints and MCP tools, not launched yet."""
    app = App.create(settings, engine)
    app.adopt_runs()
    with ServedBlocks(
        title="hfdemo",
        analytics_enabled=False,
        delete_cache=(3600, settings.upload_seconds),
    ) as demo:
        with gr.Column(visible=False, render=False) as endpoints:
            register_endpoints(app)  # before the page: a handler that is called like an endpoint would take its name
        header = build_header(settings)
        gr.HTML(html.first_steps(), js_on_load="hfdemo.showFirstSteps()")
        page = PageState()
        with gr.Tabs() as tabs:
            with build_tab("Run a model", "run"):
                run_tab = run.RunTab(app, demo, page)
            with build_tab("See the tokens", "tokens") as tab:
                chosen = tokens.build(app, demo, tabs, when_opened(tab), page)
            with build_tab("Fine-tune", "finetune") as tab:
                finetune.build(app, demo, when_opened(tab), run_tab, tabs, chosen, page)
        gr.HTML(glossary.render_glossary())
        endpoints.render()
        demo.endpoints = endpoints
        # The device is known once torch has been imported, so the page is drawn first.
        demo.load(lambda: html.page_header(str(app.engine.call(find_device)), app.user), outputs=header, **QUIET)
    put_hidden_first(demo)
    demo.default_config = SharedConfig(demo.default_config)
    demo.blocks = ComponentsById(demo.blocks)  # every page has a copy of it
    # On a Space gradio would close /run: clients are to find the same there as everywhere.
    demo.queue(default_concurrency_limit=16, max_size=settings.queue_size, api_open=True)
    # After each event gradio sums up all the past ones, up to 10,000, with pandas, for a monitor that is off here.
    demo._queue.ANAYLTICS_CACHE_FREQUENCY = sys.maxsize
    # Around each event it sets a backend of matplotlib, with which nothing here draws: 25 MB, and its import at first.
    vars(gr.utils)["MatplotlibBackendMananger"] = nullcontext
    return demo


def launch_options(settings: Settings) -> dict[str, Any]:
    """Return what `demo.launch` needs besides an address: the look, the limits and the MCP server."""
    return {
        "theme": build_theme(),
        "css_paths": STYLE_SHEETS,
        "head": build_head(),
        "mcp_server": True,
        "show_error": True,
        "ssr_mode": False,
        "enable_monitoring": False,
        "max_file_size": settings.max_upload_bytes,
        "state_session_capacity": settings.sessions,
        "footer_links": ["api", "settings"],
        "_frontend": False,  # else it asks itself for the page, and ends where a busy machine takes 3 s for it
        "run_history": False,  # it would call this server with the token of whoever started it
        "app_kwargs": {
            "middleware": [
                compression(),
                content_policy(settings, read_scripts()),
                link_preview(),
                request_guard(settings),
                *user_guards(settings, html.sign_in_page),
                *visitor_guards(settings),
                *visitor_limits(settings),
                *body_guards(),
                Middleware(McpGuard),
            ],
            "exception_handlers": EXCEPTION_HANDLERS,
            "routes": [picture_route()],
        },
    }
