"""The classes of runs in the tab Fine-tune; `ui/styles.py` holds the colours and what all tabs share."""

RUNS_CSS = """
/* Progress: training.py */
.hf-state { white-space: nowrap; }
.hf-state.hf-stopping, .hf-state.hf-stopped, .hf-state.hf-queued { color: var(--body-text-color);
  box-shadow: inset 0 0 0 1px var(--body-text-color-subdued); }
.hf-run b { overflow-wrap: anywhere; }
.hf-remarks { font-size: 13px; color: var(--body-text-color-subdued); margin: 6px 0 0; padding-left: 18px;
  list-style: disc; }
.hf-remarks li { overflow-wrap: anywhere; }
.hf-wrong .hf-table td { overflow-wrap: break-word !important; word-break: normal !important; min-width: 56px; }
.hf-wrong .hf-table td.hf-number { white-space: nowrap !important; min-width: 0; }
.hf-wrong .hf-table td:last-child { min-width: 220px; }
.hf-steering { justify-content: flex-start; gap: 8px; }
.hf-steering button { flex: 0 0 auto !important; width: auto !important; min-width: 0 !important; white-space: nowrap; }
.hf-small { font-size: 13px; margin: 6px 0 0; }

/* Scores beside what they have to beat: results.py */
.hf-results p { line-height: 1.5; }
.hf-scores:has(.hf-compared) { display: grid; grid-template-columns: repeat(auto-fill, minmax(116px, 1fr)); gap: 8px; }
.hf-compared { min-width: 0; display: flex; flex-direction: column; }
.hf-compared > span { overflow-wrap: anywhere; }
.hf-compared > small { font-size: 11px; color: var(--body-text-color-subdued); }
.hf-compared > div:not(.hf-track) { display: flex; justify-content: space-between; gap: 8px; font-size: 12px;
  color: var(--body-text-color-subdued); font-variant-numeric: tabular-nums; }
.hf-compared > div:not(.hf-track) span { font-size: 12px; }
.hf-compared > .hf-track { margin: 4px 0 6px; }
.hf-track { position: relative; height: 5px; border-radius: 3px; background: var(--hf-pad); }
.hf-track i { display: block; height: 100%; border-radius: 3px; background: var(--hf-bar); }
.hf-track em { position: absolute; top: -3px; bottom: -3px; width: 2px; margin-left: -1px;
  background: var(--body-text-color); }
.hf-blocks { display: flex; flex-wrap: wrap; gap: 10px 32px; align-items: flex-start; margin-bottom: 6px; }
.hf-blocks > div { min-width: 0; max-width: 100%; }
.hf-tall { max-height: 460px; overflow-y: auto; }
.hf-classes th:first-child { max-width: min(220px, 30vw); white-space: normal; overflow-wrap: anywhere; }
.hf-line-wide { width: 100%; }
.hf-classes tr:not(:first-child) th { color: var(--body-text-color); }
.hf-classes td { vertical-align: top; }
.hf-classes .hf-track { height: 3px; margin-top: 2px; }
.hf-confusion th { max-width: 130px; }
.hf-confusion tr:first-child th:first-child { min-width: 84px; white-space: normal; }
.hf-confusion th span { display: block; overflow: hidden; text-overflow: ellipsis; }
.hf-confusion td.hf-hit { outline: 1px solid var(--hf-bar); outline-offset: -1px; font-weight: 600; }
.hf-fold { margin: 10px 0 0; }
.hf-fold > summary { cursor: pointer; font-size: 13px; font-weight: 600; }

/* Diagrams: curves.py */
.hf-diagrams { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 250px), 1fr)); gap: 14px 22px;
  margin: 10px 0; }
.hf-diagram { margin: 0; min-width: 0; max-width: 400px; }
.hf-diagram figcaption { font-size: 13px; font-weight: 600; margin: 0 0 4px; }
.hf-diagram p { font-size: 12px; margin: 2px 0 0; color: var(--body-text-color-subdued); }
.hf-diagram svg { display: block; width: 100%; height: auto; overflow: visible; }
.hf-axes line { stroke: var(--border-color-primary); stroke-width: 1; }
.hf-axes text { font-size: 10.5px; fill: var(--body-text-color-subdued); font-variant-numeric: tabular-nums; }
.hf-axes .hf-across { text-anchor: middle; }
.hf-axes .hf-up { text-anchor: end; }
.hf-curve { fill: none; stroke: var(--hf-line); stroke-width: 2.2; stroke-linejoin: round; }
.hf-chance { fill: none; stroke: var(--body-text-color-subdued); stroke-width: 1.3; stroke-dasharray: 5 4; }
.hf-diagram .hf-bin { fill: color-mix(in srgb, var(--hf-line) 38%, transparent); }
.hf-diagram .hf-bin:hover { fill: var(--hf-bar); }
.hf-dot { fill: var(--hf-bar); stroke: var(--body-text-color); stroke-width: 1.2; }
.hf-point { fill: var(--hf-line); opacity: .45; }
:root { --hf-line: #2563eb; }
.dark { --hf-line: #60a5fa; }

/* The first row: firsts.py */
.hf-first-row { font-size: 13px; max-width: 680px; }
.hf-first-row p { margin: 4px 0; color: var(--body-text-color-subdued); }
.hf-first-row p b { color: var(--body-text-color); font-weight: 600; }
.hf-first-row code { font-size: 12px; background: var(--background-fill-secondary); padding: 1px 4px;
  border-radius: 4px; overflow-wrap: anywhere; }
.hf-logits td:last-child { min-width: 70px; }
.hf-logits td:nth-child(2) { white-space: normal; overflow-wrap: anywhere; max-width: 240px; }
.hf-logits .hf-chip { font-size: 11px; padding: 0 6px; }

/* All runs, and several side by side: history.py */
.hf-runs td, .hf-runs th { vertical-align: top; padding: 6px 12px 6px 0 !important; }
.hf-runs tr:first-child th { position: sticky; top: 0; z-index: 1; background: var(--block-background-fill); }
.hf-runs td:nth-child(2) { white-space: normal; overflow-wrap: anywhere; min-width: 130px; width: 60% !important; }
.hf-runs th:first-child { font-size: 0; }
.hf-runs { width: 100% !important; }
.hf-runs .hf-written-down { font-style: italic; display: -webkit-box; -webkit-line-clamp: 2;
  -webkit-box-orient: vertical; white-space: normal; }
.hf-differs .hf-between { font-weight: 600; padding-top: 10px !important; }
.hf-runs tr + tr td { border-top: 1px solid var(--border-color-primary) !important; }
.hf-runs input { margin: 3px 0 0; accent-color: var(--hf-bar); width: 15px; height: 15px; }
.hf-runs button { font: inherit; font-weight: 600; color: inherit; background: none; border: 0; padding: 0;
  cursor: pointer; text-align: left; text-decoration: underline; text-underline-offset: 3px;
  text-decoration-color: var(--border-color-primary); }
.hf-runs button:hover, .hf-runs tr.hf-open button { text-decoration-color: var(--hf-bar);
  text-decoration-thickness: 2px; }
.hf-runs small { display: block; font-size: 12px; color: var(--body-text-color-subdued); font-weight: 400;
  overflow: hidden; text-overflow: ellipsis; }
.hf-runs .hf-chip { white-space: nowrap; }
.hf-runs .hf-best { color: inherit; border-color: var(--hf-bar); box-shadow: inset 0 0 0 1px var(--hf-bar); }
.hf-runs :focus-visible { outline: 2px solid var(--hf-bar); outline-offset: 2px; }
.hf-differs td, .hf-differs th { vertical-align: top; }
.hf-differs tr:first-child th { white-space: normal; overflow-wrap: anywhere; min-width: 96px; }
.hf-differs tr > th:first-child { position: sticky; left: 0; background: var(--block-background-fill); }
.hf-differs td { white-space: normal !important; overflow-wrap: anywhere; min-width: 90px; }
.hf-letter { display: inline-block; min-width: 18px; text-align: center; border-radius: 4px; font-weight: 700;
  color: #18181b; background: var(--hf-hue); margin-right: 6px; }

/* The trials of a search: parallel.py */
.hf-parallel { max-width: 720px; }
.hf-parallel svg { width: 100%; height: auto; }
.hf-parallel line { stroke: var(--body-text-color-subdued); stroke-width: 1; }
.hf-parallel text { fill: var(--body-text-color-subdued); font-size: 12px; text-anchor: middle; }
.hf-trial { fill: none; stroke: var(--body-text-color-subdued); stroke-width: 1.5; }
.hf-best-trial { stroke: var(--hf-bar); stroke-width: 3; }
.hf-trials small { display: block; color: var(--body-text-color-subdued); overflow-wrap: anywhere; }
"""
