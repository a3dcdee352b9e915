"""The look of the page: gradio's own variables, and the few classes that html.py uses."""

from __future__ import annotations

import gradio as gr

# System fonts only: a page that is opened without a network must not wait for a font server.
SANS = ("ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "DejaVu Sans Mono", "monospace")


def theme() -> gr.themes.Base:
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
        block_label_background_fill="transparent",
        block_label_background_fill_dark="transparent",
        block_title_text_weight="600",
        block_title_text_color="*neutral_800",
        block_title_text_color_dark="*neutral_100",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_400",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_400",
        input_background_fill="*neutral_50",
        input_background_fill_dark="*neutral_800",
        button_primary_background_fill="*primary_400",
        button_primary_background_fill_hover="*primary_300",
        button_primary_background_fill_dark="*primary_400",
        button_primary_background_fill_hover_dark="*primary_300",
        button_primary_text_color="*neutral_950",
        button_primary_text_color_dark="*neutral_950",
    )


CSS = """
.gradio-container { max-width: min(1280px, 100vw) !important; width: 100%; margin: 0 auto !important;
  box-sizing: border-box; }
.gradio-container > .main { min-width: 0; max-width: 100%; }
@media (max-width: 600px) {
  .gradio-container > .main { padding: 8px 10px !important; }
  .tab-container button { padding: 0 7px !important; font-size: 13px !important; }
  .hf-head .hf-chip { margin-left: 0; }
}
:root {
  --hf-first: #dbeafe; --hf-first-ink: #1e3a8a; --hf-second: #fde8c8; --hf-second-ink: #7c2d12;
  --hf-special: #ede9fe; --hf-special-ink: #5b21b6; --hf-pad: #e4e4e7; --hf-pad-ink: #6b6b76;
  --hf-bar: #fbbf24; --hf-bar-rest: #d4d4d8; --hf-good: #15803d; --hf-bad: #b91c1c; --hf-note: #fef3c7;
  --hf-note-ink: #713f12;
}
.dark {
  --hf-first: #1e3a8a; --hf-first-ink: #dbeafe; --hf-second: #7c3a12; --hf-second-ink: #fff1de;
  --hf-special: #4c1d95; --hf-special-ink: #ede9fe; --hf-pad: #3f3f46; --hf-pad-ink: #a8a8b3;
  --hf-bar: #fbbf24; --hf-bar-rest: #52525b; --hf-good: #4ade80; --hf-bad: #f87171; --hf-note: #422a06;
  --hf-note-ink: #fde68a;
}
.hf-head { display: flex; flex-wrap: wrap; gap: 4px 16px; align-items: baseline; padding: 10px 2px 2px; }
.hf-head h1 { font-size: 22px; font-weight: 700; margin: 0; letter-spacing: -.01em; }
.hf-head p { margin: 0; color: var(--body-text-color-subdued); }
.hf-head .hf-chip { margin-left: auto; }
.hf-chip { font-size: 12px; padding: 2px 8px; border: 1px solid var(--border-color-primary); border-radius: 999px;
  color: var(--body-text-color-subdued); }
.hf-about { color: var(--body-text-color-subdued); font-size: 14px; line-height: 1.5; }
.hf-about code, .hf-stage code, .hf-empty code { font-size: 12px; background: var(--background-fill-secondary);
  padding: 1px 4px; border-radius: 4px; overflow-wrap: anywhere; }
.hf-empty { color: var(--body-text-color-subdued); padding: 28px 16px; text-align: center;
  border: 1px dashed var(--border-color-primary); border-radius: 8px; }
.hf-note { background: var(--hf-note); color: var(--hf-note-ink); border-radius: 6px; padding: 8px 12px;
  margin: 8px 0; font-size: 14px; }
.hf-label { display: grid; grid-template-columns: minmax(72px, 30%) 1fr 64px; gap: 10px; align-items: center;
  padding: 5px 0; }
.hf-label b { font-weight: 500; overflow-wrap: anywhere; }
.hf-label:first-of-type b { font-weight: 700; }
.hf-label i { display: block; height: 14px; border-radius: 4px; background: var(--hf-bar-rest); min-width: 2px; }
.hf-label:first-of-type i { background: var(--hf-bar); }
.hf-label span { text-align: right; font-variant-numeric: tabular-nums; }
.hf-facts { display: flex; flex-wrap: wrap; gap: 4px 18px; font-size: 13px; color: var(--body-text-color-subdued);
  padding-top: 8px; }
.hf-facts span { color: var(--body-text-color-subdued) !important; }
.hf-facts b { color: var(--body-text-color) !important; font-weight: 500; }
.hf-stage { border-left: 3px solid var(--hf-bar); padding: 2px 0 10px 14px; margin-left: 4px; }
.hf-stage + .hf-stage { border-color: var(--hf-bar-rest); }
.hf-stage h4 { margin: 0 0 2px; font-size: 14px; }
.hf-stage p { margin: 0 0 6px; font-size: 13px; color: var(--body-text-color-subdued); }
.hf-scroll { overflow-x: auto; max-width: 100%; }
.hf-table { border-collapse: collapse; font-size: 13px; }
.hf-table th, .hf-table td { padding: 3px 10px 3px 0; text-align: left; white-space: nowrap; border: 0; }
.hf-table th { font-weight: 500; color: var(--body-text-color-subdued); }
.hf-table td.hf-number, .hf-table th.hf-number { text-align: right; font-variant-numeric: tabular-nums; }
.hf-tokens, .hf-tokens tr, .hf-tokens td, .hf-tokens th, .hf-table, .hf-table tr, .hf-table td, .hf-table th {
  border: 0 !important; width: auto; margin: 0; }
.hf-tokens { border-collapse: separate; border-spacing: 2px; font-family: var(--font-mono); font-size: 12px; }
.hf-tokens th { position: sticky; left: 0; z-index: 1; background: var(--block-background-fill); text-align: left;
  font-weight: 500; color: var(--body-text-color-subdued); padding: 1px 10px 1px 0 !important; white-space: nowrap; }
.hf-tokens td { text-align: center; padding: 1px 6px; border-radius: 4px; white-space: pre;
  color: var(--body-text-color-subdued); }
.hf-tokens td.hf-token { font-size: 13px; padding: 4px 7px; color: var(--hf-first-ink); background: var(--hf-first); }
.hf-tokens td.hf-second { color: var(--hf-second-ink); background: var(--hf-second); }
.hf-tokens td.hf-special { color: var(--hf-special-ink); background: var(--hf-special); font-weight: 600; }
.hf-tokens td.hf-pad { color: var(--hf-pad-ink); background: repeating-linear-gradient(135deg, var(--hf-pad) 0 4px,
  transparent 4px 8px); }
.hf-tokens td.hf-continued { box-shadow: inset 3px 0 0 currentColor; }
.hf-legend { display: flex; flex-wrap: wrap; gap: 6px 14px; font-size: 12px; margin: 4px 0 10px;
  color: var(--body-text-color-subdued); }
.hf-legend span::before { content: ""; display: inline-block; width: 12px; height: 12px; border-radius: 3px;
  margin-right: 5px; vertical-align: -2px; background: var(--hf-swatch); }
.hf-legend span.hf-hatched::before { background: repeating-linear-gradient(135deg, var(--hf-pad) 0 3px,
  transparent 3px 6px); outline: 1px solid var(--hf-pad); }
.hf-row-title { font-size: 13px; font-weight: 600; margin: 12px 0 2px; }
.hf-progress { height: 10px; border-radius: 5px; background: var(--hf-pad); overflow: hidden; margin: 8px 0; }
.hf-progress i { display: block; height: 100%; background: var(--hf-bar); transition: width .4s; }
.hf-run { display: flex; flex-wrap: wrap; gap: 4px 14px; align-items: baseline; }
.hf-run b { font-size: 16px; }
.hf-state { font-size: 12px; font-weight: 600; padding: 2px 9px; border-radius: 999px; background: var(--hf-pad); }
.hf-state.hf-finished { background: var(--hf-good); color: var(--background-fill-primary); }
.hf-state.hf-failed, .hf-state.hf-lost { background: var(--hf-bad); color: var(--background-fill-primary); }
.hf-state.hf-running, .hf-state.hf-starting { background: var(--hf-bar); color: #18181b; }
.hf-scores { display: flex; flex-wrap: wrap; gap: 10px; margin-top: 10px; }
.hf-score { border: 1px solid var(--border-color-primary); border-radius: 8px; padding: 8px 14px; min-width: 104px; }
.hf-score span { display: block; font-size: 12px; color: var(--body-text-color-subdued); }
.hf-score b { font-size: 22px; font-variant-numeric: tabular-nums; }
.hf-confusion td { text-align: center; min-width: 42px; padding: 6px 8px; border-radius: 4px;
  font-variant-numeric: tabular-nums; }
.hf-confusion { border-collapse: separate; border-spacing: 2px; }
.hf-table.hf-wrap td { white-space: normal; overflow-wrap: anywhere; vertical-align: top; }
.hf-history { list-style: none; margin: 0; padding: 0; font-size: 14px; }
.hf-history li { display: flex; flex-wrap: wrap; gap: 2px 12px; padding: 5px 0; margin: 0;
  border-bottom: 1px solid var(--border-color-primary); }
.hf-history span { color: var(--body-text-color-subdued); overflow-wrap: anywhere; }
.hf-sides { display: grid; grid-template-columns: 1fr 1fr; gap: 18px; }
.hf-sides > div { min-width: 0; }
@media (max-width: 600px) { .hf-sides { grid-template-columns: 1fr; } }
"""
