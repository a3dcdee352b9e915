"""The classes that the data doctor and the form of the tab Fine-tune use."""

DOCTOR_CSS = """
/* Labels with their counts: doctor.py */
.hf-small { font-size: 13px; }
.hf-counts-head { display: flex; justify-content: space-between; align-items: end; gap: 12px; margin-top: 6px; }
.hf-counts { max-height: 340px; overflow-y: auto; padding-right: 4px; }
.hf-count { display: grid; grid-template-columns: 22px minmax(72px, 34%) 1fr auto auto; gap: 8px; align-items: center;
  padding: 2px 0; font-size: 14px; }
.hf-count small { color: var(--body-text-color-subdued); text-align: right; font-variant-numeric: tabular-nums; }
.hf-count b { font-weight: 500; overflow-wrap: anywhere; }
.hf-count i { display: block; height: 12px; border-radius: 4px; background: var(--hf-bar); min-width: 2px; }
.hf-count span { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.hf-count em, .hf-problem em { font-style: normal; font-weight: 400; white-space: nowrap; }
.hf-move { border: 0 !important; background: none !important; color: var(--body-text-color-subdued) !important;
  padding: 3px 5px !important; font-size: 10px !important; line-height: 1 !important; cursor: pointer;
  border-radius: 4px !important; margin: 0 !important; min-width: 0 !important; }
.hf-move:hover:not(:disabled) { background: var(--hf-pad) !important; color: var(--body-text-color) !important; }
.hf-move:disabled { opacity: .25; cursor: default; }
.hf-do { border: 1px solid var(--border-color-primary) !important; background: var(--block-background-fill) !important;
  color: var(--body-text-color) !important; font-size: 13px !important; font-weight: 500 !important;
  margin: 0 !important; border-radius: 6px !important; padding: 4px 12px !important; cursor: pointer; flex: none;
  white-space: nowrap; }
.hf-do:hover { border-color: var(--body-text-color-subdued) !important; }
.hf-do:focus-visible, .hf-move:focus-visible { outline: 2px solid var(--hf-bar); outline-offset: 1px; }
.hf-counts-head .hf-do { padding: 1px 8px !important; font-size: 12px !important; }

/* What is wrong with the data, and what was mended: doctor.py */
.hf-problem { display: flex; gap: 14px; justify-content: space-between; align-items: flex-start; margin: 10px 0;
  padding: 10px 14px; border: 1px solid var(--border-color-primary); border-left: 4px solid var(--hf-bar);
  border-radius: 6px; }
.hf-problem.hf-must { border-left-color: var(--hf-bad); }
.hf-problem > div { min-width: 0; flex: 1; }
.hf-problem p { margin: 0; font-size: 14px; line-height: 1.45; overflow-wrap: anywhere; }
.hf-problem .hf-advice-line { color: var(--body-text-color-subdued); font-size: 13px; margin-top: 2px; }
.hf-problem blockquote { margin: 6px 0 !important; padding: 2px 0 2px 10px !important; font-style: normal;
  border-left: 2px solid var(--border-color-primary);
  font-size: 13px; overflow-wrap: anywhere; color: var(--body-text-color); }
.hf-problem blockquote small { color: var(--body-text-color-subdued); margin-right: 4px; }
.hf-problem .hf-do { background: var(--hf-bar) !important; border-color: transparent !important;
  color: #18181b !important; font-weight: 600 !important; }
.hf-chips { display: flex; flex-wrap: wrap; gap: 4px 6px; margin-top: 6px; }
.hf-chip.hf-must { color: var(--hf-bad) !important; border-color: currentColor; }
.hf-chips .hf-chip { max-width: 100%; overflow: hidden; text-overflow: ellipsis; }
.hf-well { color: var(--hf-good); font-size: 14px; margin: 10px 0 2px; }
.hf-mended { list-style: none; margin: 4px 0 0; padding: 0; font-size: 14px; }
.hf-mended li { display: flex; justify-content: space-between; align-items: center; gap: 12px; padding: 4px 0;
  margin: 0; }
.hf-mended li > span { color: var(--body-text-color-subdued); min-width: 0; overflow-wrap: anywhere; }
.hf-mended b { font-weight: 500; color: var(--body-text-color); }
.hf-mended .hf-do { padding: 1px 10px !important; }

/* Before Start, and the table of all fields: standing.py, knobs.py */
.hf-ready { font-size: 14px; color: var(--body-text-color-subdued); }
.hf-ready b { color: var(--body-text-color); font-weight: 500; }
.hf-level label { display: flex; flex-direction: column; height: 100%; }
.hf-level label > :last-child { margin-top: auto; }
.hf-knobs, .hf-refused-rows { max-height: 420px; overflow: auto; }
.hf-refused-rows td.hf-number { white-space: nowrap !important; overflow-wrap: normal !important; }
.hf-knobs { margin: 4px 0 0; font-size: 13px; }
.hf-knobs dt { font-family: var(--font-mono); font-size: 12px; font-weight: 600; overflow-wrap: anywhere; }
.hf-knobs dt small { font-family: var(--font); font-weight: 400; color: var(--body-text-color-subdued); }
.hf-knobs dd { margin: 0 0 8px; color: var(--body-text-color-subdued); line-height: 1.45; overflow-wrap: anywhere; }
@media (max-width: 600px) {
  .hf-problem { flex-direction: column; gap: 8px; }
  .hf-count { grid-template-columns: 18px minmax(64px, 40%) 1fr auto auto; gap: 6px; }
}
"""
