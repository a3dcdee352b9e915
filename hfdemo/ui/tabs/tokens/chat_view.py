"""The inspector Chat template: messages, tools and documents as JSON, and the one string that they become."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import gradio as gr

from hfdemo.errors import DemoError
from hfdemo.tokenization.chat_templates import ChatOptions, RenderedChat
from hfdemo.ui.html import about, escape, notes, with_title
from hfdemo.ui.renderers.pieces import render_cells

TOOLS = [{"type": "function", "function": {"name": "tide", "description": "", "parameters": {}}}]
DOCUMENTS = [{"title": "Harbour", "text": "The ferry leaves at seven."}]
MESSAGE = {"role": "user", "content": "And at low tide?"}
MESSAGES = [
    {"role": "system", "content": "You answer in one sentence."},
    {"role": "user", "content": "What does a harbour pilot do?"},
    {"role": "assistant", "content": "A harbour pilot boards arriving ships and steers them to their berth."},
    MESSAGE,
]


def build_chat_fields(public: bool) -> dict[str, Any]:
    """Lay out what a chat is made of; a server that is `public` takes no template, which is code."""
    messages = gr.Textbox(
        "[\n" + ",\n".join(map(json.dumps, MESSAGES)) + "\n]", label="messages", info="as JSON", lines=6, max_lines=20
    )
    prompt = gr.Checkbox(True, label="add_generation_prompt")
    with gr.Accordion("Tools, documents and the template's own arguments", open=False):
        tools = gr.Textbox(label="tools", info=f"as JSON: {json.dumps(TOOLS)}", lines=1, max_lines=12)
        documents = gr.Textbox(label="documents", info=f"as JSON: {json.dumps(DOCUMENTS)}", lines=1, max_lines=12)
        arguments = gr.Textbox(
            label="arguments", info='as JSON: {"enable_thinking": false}, as the template knows them', max_lines=4
        )
    template = gr.Textbox(
        label="chat_template",
        info="Jinja; empty: the tokenizer's own",
        lines=2,
        max_lines=12,
        visible=not public,
    )
    return {
        **{"messages": messages, "prompt": prompt, "template": template},
        **{"tools": tools, "documents": documents, "arguments": arguments},
    }


def read_chat(given: Mapping[str, Any]) -> tuple[list[Any], ChatOptions]:
    """Return the messages that stand in the fields, and what else the template gets.

    Raises:
        DemoError: a field is not JSON.
    """
    options = ChatOptions(
        _read_optional("tools", given, TOOLS),
        _read_optional("documents", given, DOCUMENTS),
        _read_optional("arguments", given, {"enable_thinking": False}) or {},
    )
    return _read_json("messages", given["messages"], [MESSAGE]), options


def _read_optional(name: str, given: Mapping[str, Any], example: Any) -> Any:
    return _read_json(name, given[name], example) if given.get(name) else None


def _read_json(name: str, text: str | None, example: Any) -> Any:
    try:
        return json.loads(text or "")
    except (ValueError, RecursionError) as error:
        raise DemoError(f"{name} is not JSON: {error}. Write it like {json.dumps(example)}.") from error


def render_chat(found: RenderedChat) -> str:
    """Render the rendered string, what add_generation_prompt added to it marked, and its tokens."""
    borrowed = (
        [
            f"This tokenizer has no chat template of its own. The {found.borrowed} one is shown instead, which a "
            "fine-tuning on messages uses and saves with the model, too."
        ]
        if found.borrowed
        else []
    )
    body = found.text.removesuffix(found.prompt)
    added = f"<ins class='hf-shared' title='add_generation_prompt'>{escape(found.prompt)}</ins>" if found.prompt else ""
    row = found.encoding.rows()[0]
    return (
        notes([*borrowed, *found.warnings])
        + with_title(
            "Rendered: the one string that the model reads", f"<pre class='hf-pre'>{escape(body)}{added}</pre>"
        )
        + with_title(f"Tokens: {len(row):,}", render_cells(row, [False] * len(row), "ins"))
        + with_title("Learned in training: the assistant mask", _render_learned(found))
    )


def _render_learned(found: RenderedChat) -> str:
    """Render which tokens a training on this conversation learns, as far as the template says it."""
    if not found.learned:
        return about(
            "The template does not mark what the assistant writes (`{% generation %}`), so "
            "`return_assistant_tokens_mask=True` gives zeros. Fine-tune finds the answers by itself."
        )
    count = sum(found.learned)
    said = about(f"{count:,} of {len(found.learned):,} tokens are learned: the labels of the others are -100.")
    return said + render_cells(found.encoding.rows()[0], found.learned, "ins")
