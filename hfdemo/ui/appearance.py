"""How the page looks and what its browser runs: gradio's theme, the files of static/, and the colours of results."""

from __future__ import annotations

import colorsys
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

import gradio as gr

STATIC = Path(__file__).with_name("static")
# In this order: a later rule may override an earlier one, and every script uses what base.js defines.
STYLE_SHEETS = tuple(
    STATIC / f"{name}.css"
    for name in ("base", "glossary", "run", "tokens", "inspection", "steps", "charts", "finetune")
)
SCRIPTS = tuple(
    STATIC / f"{name}.js"
    for name in ("base", "page_state", "first_steps", "glossary", "run", "tokens", "steps", "charts", "finetune")
)

ICON = STATIC / "favicon.svg"
# What is shown of a link to the page elsewhere.
ABOUT = "Run Hugging Face models, see their tokens, fine-tune them."
# System fonts only: a page that is opened without a network must not wait for a font server.
SANS = ("ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "DejaVu Sans Mono", "monospace")


def build_theme() -> gr.themes.Base:
    """Return the colours, fonts and sizes of gradio's own components."""
    return gr.themes.Base(
        primary_hue=gr.themes.colors.amber,
        secondary_hue=gr.themes.colors.sky,
        neutral_hue=gr.themes.colors.zinc,
        radius_size=gr.themes.sizes.radius_md,
        font=SANS,
        font_mono=MONO,
    ).set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        block_background_fill="white",
        block_background_fill_dark="*neutral_900",
        block_border_width="1px",
        block_label_background_fill="white",
        block_label_background_fill_dark="*neutral_900",
        block_title_text_weight="600",
        block_title_text_color="*neutral_800",
        block_title_text_color_dark="*neutral_100",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_400",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_400",
        # What can be typed in, ticked or followed stands out from its card by 3:1, text by 4.5:1, day and night.
        color_accent="*primary_700",
        input_background_fill="white",
        input_background_fill_dark="*neutral_950",
        input_border_width="1px",
        input_border_color="*neutral_500",
        input_border_color_dark="*neutral_500",
        input_border_color_hover="*neutral_700",
        input_border_color_hover_dark="*neutral_300",
        input_border_color_focus="*secondary_700",
        input_border_color_focus_dark="*secondary_400",
        checkbox_border_color="*neutral_500",
        checkbox_border_color_dark="*neutral_500",
        checkbox_background_color_selected="*primary_700",
        checkbox_background_color_selected_dark="*primary_700",
        checkbox_border_color_selected="*primary_700",
        checkbox_border_color_selected_dark="*primary_400",
        link_text_color="*secondary_700",
        link_text_color_dark="*secondary_400",
        link_text_color_hover="*secondary_900",
        link_text_color_hover_dark="*secondary_200",
        link_text_color_visited="*secondary_700",
        link_text_color_visited_dark="*secondary_400",
        link_text_color_active="*secondary_900",
        link_text_color_active_dark="*secondary_200",
        button_primary_background_fill="*primary_400",
        button_primary_background_fill_hover="*primary_300",
        button_primary_background_fill_dark="*primary_400",
        button_primary_background_fill_hover_dark="*primary_300",
        button_primary_text_color="*neutral_950",
        button_primary_text_color_dark="*neutral_950",
    )


def read_scripts() -> list[str]:
    """Return the text of each of the page's scripts."""
    return [path.read_text(encoding="utf-8") for path in SCRIPTS]


def build_head() -> str:
    """Return the elements of the page's head: its icon, and its scripts, which run before any component is drawn."""
    # gradio's own way to an icon makes others of it, of any size that is asked for.
    icon = quote(ICON.read_text(encoding="utf-8"))
    return f'<link rel="icon" type="image/svg+xml" href="data:image/svg+xml,{icon}">' + "".join(
        f"<script>{script}</script>" for script in read_scripts()
    )


# White letters have a contrast of at least 4.5 on each of them, so that one colour does for a line and its name.
HUES = ("#2563eb", "#c2410c", "#047857", "#9333ea", "#dc2626", "#0e7490", "#a16207", "#be185d")
VIRIDIS = ("#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30", "#fde725")


def distinct_colour(index: int) -> str:
    """Return a colour for the index-th kind of thing; beyond the named ones they walk round the circle by the golden
    angle."""
    if index < len(HUES):
        return HUES[index]
    red, green, blue = colorsys.hls_to_rgb(index * 0.381966 % 1, 0.27, 0.65)
    return f"#{round(255 * red):02x}{round(255 * green):02x}{round(255 * blue):02x}"


def distinct_colours(names: Iterable[str]) -> dict[str, str]:
    """Return one colour per distinct name, in the order in which they come."""
    return {name: distinct_colour(index) for index, name in enumerate(dict.fromkeys(names))}
