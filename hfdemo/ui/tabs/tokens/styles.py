"""The classes of the tab See the tokens; `ui/styles.py` holds the colours and what all tabs share."""

TOKENS_CSS = """
/* One text, linked: linked.py */
.hf-linked { --hf-edge: var(--body-text-color-subdued); }
.hf-roll { max-height: 340px; overflow-y: auto; overscroll-behavior: contain; }
.hf-cut-text { white-space: pre-wrap; overflow-wrap: anywhere; font-size: 16px; line-height: 2; margin: 0 0 4px;
  unicode-bidi: plaintext; text-align: start; color: var(--body-text-color); }
/* No padding, border or margin on a piece of text: letters that join across two tokens must stay joined. */
.hf-cut-text mark { color: inherit; padding: 0; background: color-mix(in srgb, var(--hf-hue) 20%, transparent);
  box-shadow: inset 1px 0 0 var(--hf-edge), inset 0 -2px 0 var(--hf-hue); }
.dark .hf-cut-text mark { background: color-mix(in srgb, var(--hf-hue) 38%, transparent); }
.hf-hue0 { --hf-hue: #2563eb; } .hf-hue1 { --hf-hue: #d97706; } .hf-hue2 { --hf-hue: #7c3aed; }
.hf-hue3 { --hf-hue: #0d9488; }
.hf-inserted, .hf-control { font-family: var(--font-mono); font-size: 11px; font-weight: 600; line-height: 1;
  padding: 2px 5px; margin: 0 3px; border-radius: 4px; white-space: nowrap; }
.hf-inserted { background: var(--hf-special); color: var(--hf-special-ink); outline: 1px dashed currentColor;
  outline-offset: -1px; }
.hf-control { color: var(--body-text-color-subdued); box-shadow: inset 0 0 0 1px var(--border-color-primary);
  padding: 1px 3px; margin: 0 1px; font-size: 10px; }
.hf-space { font-style: normal; opacity: .55; }
.hf-cut-text .hf-lit { background: var(--hf-bar); color: #18181b; }
.dark .hf-cut-text mark.hf-lit { background: var(--hf-bar); color: #18181b; }
.hf-info { display: grid; align-items: center; min-height: 58px; margin: 8px 0; padding: 6px 12px; border-radius: 6px;
  background: var(--background-fill-secondary); font-size: 13px; color: var(--body-text-color-subdued); }
.hf-info > * { grid-area: 1 / 1; margin: 0; }
.hf-info > div { display: flex; flex-wrap: wrap; align-items: baseline; gap: 2px 16px; visibility: hidden;
  max-height: 96px; overflow-y: auto; }
.hf-info.hf-told > div { visibility: visible; }
.hf-info.hf-told > p { visibility: hidden; }
.hf-info bdi { font-family: var(--font-mono); font-size: 15px; font-weight: 600; color: var(--body-text-color);
  overflow-wrap: anywhere; }
.hf-info b { font-weight: 500; color: var(--body-text-color); font-variant-numeric: tabular-nums; }
.hf-slots { display: flex; flex-wrap: wrap; align-items: flex-start; gap: 4px 3px; padding: 2px; max-height: 300px; }
.hf-slot { display: inline-flex; flex-direction: column; align-items: center; min-width: 0; max-width: 100%;
  padding: 2px 6px; box-sizing: border-box; border-radius: 4px; cursor: default; line-height: 1.35;
  font-family: var(--font-mono); color: var(--body-text-color);
  background: color-mix(in srgb, var(--hf-hue) 14%, transparent); box-shadow: inset 0 -2px 0 var(--hf-hue); }
.dark .hf-slot { background: color-mix(in srgb, var(--hf-hue) 32%, transparent); }
.hf-slot bdi { font-size: 13px; white-space: pre-wrap; overflow-wrap: anywhere; min-height: 1.35em; }
.hf-slot small, .hf-slot em { font-size: 10px; font-style: normal; color: var(--body-text-color-subdued);
  font-variant-numeric: tabular-nums; }
.hf-slot.hf-special { background: var(--hf-special); color: var(--hf-special-ink); box-shadow: none; font-weight: 600;
  outline: 1px dashed currentColor; outline-offset: -1px; }
.hf-slot.hf-special small, .hf-slot.hf-special em { color: inherit; font-weight: 400; }
.hf-slot.hf-pad { color: var(--hf-pad-ink); box-shadow: none; background: repeating-linear-gradient(135deg,
  var(--hf-pad) 0 4px, transparent 4px 8px); }
.hf-slot.hf-continued { border-left: 3px solid var(--hf-edge); }
.hf-bound { display: inline-flex; flex-wrap: wrap; gap: 1px; padding: 2px; margin: -2px 0; border-radius: 6px;
  box-shadow: inset 0 0 0 1px var(--hf-edge); max-width: 100%; box-sizing: border-box; }
.hf-slot.hf-lit { background: color-mix(in srgb, var(--hf-bar) 45%, transparent); color: var(--body-text-color); }
.hf-slot.hf-lit small, .hf-slot.hf-lit em { color: inherit; }
.hf-slot.hf-now, .hf-slot:focus-visible { outline: 2px solid var(--hf-bar); outline-offset: -1px; }
.hf-slot:focus-visible { outline-color: var(--body-text-color); }

/* One text looked at more closely: looks.py */
.hf-pieces:has(.hf-piece) { display: flex; flex-wrap: wrap; gap: 4px 3px; line-height: 1.3; margin: 2px 0 6px; }
.hf-piece { font-family: var(--font-mono); font-size: 13px; padding: 3px 6px; border-radius: 4px; text-decoration: none;
  background: var(--hf-first); color: var(--hf-first-ink); white-space: pre-wrap; overflow-wrap: anywhere;
  border: 1px solid transparent; box-sizing: border-box; }
.hf-piece.hf-second { background: var(--hf-second); color: var(--hf-second-ink); }
.hf-piece.hf-special { background: var(--hf-special); color: var(--hf-special-ink); font-weight: 600; }
.hf-piece.hf-continued { border-left: 3px solid currentColor; margin-left: -1px; }
.hf-piece.hf-changed, .hf-piece.hf-new { border-color: currentColor; font-weight: 600; }
.hf-piece small { font-size: 10px; opacity: .8; margin-left: 5px; font-variant-numeric: tabular-nums; }
.hf-piece.hf-lit, .hf-piece:focus-visible { outline: 2px solid var(--hf-bar); outline-offset: 0; }
.hf-piece.hf-cut { text-decoration: line-through; text-decoration-thickness: 2px; color: var(--hf-pad-ink);
  background: repeating-linear-gradient(135deg, var(--hf-pad) 0 4px, transparent 4px 8px); }
.hf-shared { text-decoration: underline; text-decoration-thickness: 2px; text-underline-offset: 3px; }
.hf-piece.hf-shared { border-style: dashed; border-color: currentColor; }
ins.hf-shared:not(.hf-piece) { background: color-mix(in srgb, var(--hf-bar) 25%, transparent); }
.hf-steps { list-style: decimal; padding-left: 26px; margin: 8px 0; font-size: 13px; }
.hf-steps li { padding: 4px 0; border-bottom: 1px solid var(--border-color-primary); }
.hf-steps li > span:last-child { color: var(--body-text-color-subdued); }
.hf-here { color: var(--hf-bad); font-size: 12px; align-self: center; }

/* A batch under every strategy: lab.py */
.hf-lab { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); gap: 14px 26px; }
.hf-plan { min-width: 0; }
.hf-plan h4 { margin: 0; font-size: 14px; }
.hf-plan > p { margin: 0 0 6px; font-size: 13px; color: var(--body-text-color-subdued); }
.hf-plan > p b { color: var(--body-text-color); font-weight: 500; }
.hf-plan code, .hf-stage > p code { font-size: 12px; background: var(--background-fill-secondary); padding: 1px 4px;
  border-radius: 4px; overflow-wrap: anywhere; }
.hf-batch { display: grid; grid-template-columns: 58px 1fr; gap: 8px; align-items: center; margin: 0 0 7px; }
.hf-batch small { font-size: 11px; text-align: right; color: var(--body-text-color-subdued);
  font-variant-numeric: tabular-nums; white-space: nowrap; }
.hf-line { display: flex; height: 11px; margin: 1px 0; }
.hf-fill { display: block; height: 100%; box-sizing: border-box; position: relative; }
.hf-fill.hf-first { background-color: var(--hf-slot-first); }
.hf-fill.hf-second { background: repeating-linear-gradient(0deg, var(--hf-slot-second) 0 2px,
  color-mix(in srgb, var(--hf-slot-second) 45%, transparent) 2px 4px); }
.hf-fill.hf-special { background: radial-gradient(circle, var(--background-fill-primary) 0 1.6px, transparent 1.8px)
  center / 6px 6px, var(--hf-slot-special); }
.hf-fill.hf-pad { background: repeating-linear-gradient(135deg, var(--hf-bar-rest) 0 2px, transparent 2px 5px);
  outline: 1px solid var(--hf-bar-rest); outline-offset: -1px; }
.hf-fill.hf-ruled::after { content: ""; position: absolute; inset: 0; background: linear-gradient(90deg,
  var(--block-background-fill) 1px, transparent 1px) 0 0 / calc(100% / var(--n)) 100%; }
.hf-lab-legend span::before { display: none !important; }
.hf-lab-legend span { display: inline-flex; align-items: center; gap: 5px; }
.hf-lab-legend .hf-fill { width: 18px; height: 12px; }
.hf-costs td { vertical-align: middle; }
.hf-costs td .hf-cost { min-width: 84px; }
.hf-table.hf-costs { width: 100%; }
.hf-costs th:empty, .hf-proof th:empty { width: 40%; }
.hf-proof td .hf-cost { min-width: 84px; }
.hf-cost { display: flex; height: 12px; width: 100%; }
.hf-ids td { font-variant-numeric: tabular-nums; }
:root { --hf-slot-first: #3b82f6; --hf-slot-second: #ea7317; --hf-slot-special: #7c3aed; }
.dark { --hf-slot-first: #60a5fa; --hf-slot-second: #fb923c; --hf-slot-special: #a78bfa; }

/* A data set: lengths.py */
.hf-advice { border-left: 4px solid var(--hf-bar); padding: 4px 0 4px 14px; margin: 4px 0 12px; font-size: 16px; }
.hf-advice p { font-size: 14px; margin: 3px 0 0; color: var(--body-text-color-subdued); }
.hf-histogram > div { position: relative; display: flex; align-items: flex-end; gap: 1px; height: 170px;
  margin-top: 22px; border-bottom: 1px solid var(--border-color-primary); }
.hf-histogram i { flex: 1; min-width: 1px; background: var(--hf-slot-first); border-radius: 2px 2px 0 0; }
.hf-histogram i:hover { background: var(--hf-bar); }
.hf-histogram b { position: absolute; top: -18px; bottom: 0; border-left: 2px dashed var(--hf-slot-second);
  font-weight: 500; pointer-events: none; }
.hf-histogram b span { font-size: 12px; padding: 0 5px; white-space: nowrap; line-height: 16px; display: block; }
.hf-histogram b.hf-flip span { transform: translateX(-100%); }
.hf-histogram p { display: flex; justify-content: space-between; font-size: 12px; margin: 3px 0 0;
  color: var(--body-text-color-subdued); font-variant-numeric: tabular-nums; }
"""
