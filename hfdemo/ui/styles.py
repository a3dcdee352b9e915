"""The classes that the page's own HTML uses, as one style sheet; a later rule may override an earlier one."""

CSS = """
/* The page */
.gradio-container { max-width: min(1280px, 100vw) !important; width: 100%; margin: 0 auto !important;
  box-sizing: border-box; }
.gradio-container > .main { min-width: 0; max-width: 100%; }
@media (max-width: 600px) {
  .gradio-container > .main { padding: 8px 10px !important; }
  .tab-container button { padding: 0 7px !important; font-size: 13px !important; }
  .hf-head .hf-chip { margin-left: 0; }
}

/* Colours, by day and by night */
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

/* Elements that everything is built of: html.py */
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
.hf-row-title { font-size: 13px; font-weight: 600; margin: 12px 0 2px; overflow-wrap: anywhere; }
.hf-progress { height: 10px; border-radius: 5px; background: var(--hf-pad); overflow: hidden; margin: 8px 0; }
.hf-progress i { display: block; height: 100%; background: var(--hf-bar); transition: width .4s; }
.hf-facts { display: flex; flex-wrap: wrap; gap: 4px 18px; font-size: 13px; color: var(--body-text-color-subdued);
  padding-top: 8px; }
.hf-facts span { color: var(--body-text-color-subdued) !important; }
.hf-facts b { color: var(--body-text-color) !important; font-weight: 500; }
.hf-scroll { overflow-x: auto; max-width: 100%; }
.hf-table { border-collapse: collapse; font-size: 13px; }
.hf-table th, .hf-table td { padding: 3px 10px 3px 0; text-align: left; white-space: nowrap; border: 0; }
.hf-table th { font-weight: 500; color: var(--body-text-color-subdued); }
.hf-table td.hf-number, .hf-table th.hf-number { text-align: right; font-variant-numeric: tabular-nums; }
.hf-table.hf-wrap td { white-space: normal; overflow-wrap: anywhere; vertical-align: top; }
.hf-tokens, .hf-tokens tr, .hf-tokens td, .hf-tokens th, .hf-table, .hf-table tr, .hf-table td, .hf-table th {
  border: 0 !important; width: auto; margin: 0; }

/* Token strips: batches.py */
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

/* Runs: training.py */
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

/* Around an answer: answers.py */
.hf-stage { border-left: 3px solid var(--hf-bar); padding: 2px 0 10px 14px; margin-left: 4px; }
.hf-stage + .hf-stage { border-color: var(--hf-bar-rest); }
.hf-stage h4 { margin: 0 0 2px; font-size: 14px; }
.hf-stage p { margin: 0 0 6px; font-size: 13px; color: var(--body-text-color-subdued); }
.hf-history { list-style: none; margin: 0; padding: 0; font-size: 14px; }
.hf-history li { display: flex; flex-wrap: wrap; gap: 2px 12px; padding: 5px 0; margin: 0;
  border-bottom: 1px solid var(--border-color-primary); }
.hf-history span { color: var(--body-text-color-subdued); overflow-wrap: anywhere; }
.hf-sides { display: grid; grid-template-columns: 1fr 1fr; gap: 18px; }
.hf-sides > div { min-width: 0; }
@media (max-width: 600px) { .hf-sides { grid-template-columns: 1fr; } }

/* Texts, links and answers: texts.py, writing.py, values.py */
.hf-text { white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.6; margin: 0 0 10px; font-size: 15px;
  color: var(--body-text-color); }
.hf-quiet { color: var(--body-text-color-subdued); }
.hf-written { border-left: 3px solid var(--hf-bar); padding-left: 14px; }
.hf-written b { font-weight: 500; color: var(--body-text-color); }
.hf-pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: 12px; font-family: var(--font-mono);
  max-height: 420px; overflow-y: auto; margin: 0; }
.hf-links { display: flex; flex-wrap: wrap; gap: 4px 18px; font-size: 13px; margin: 8px 0 0; }
.hf-links a { padding: 0 !important; color: var(--body-text-color) !important; text-decoration: underline;
  text-underline-offset: 3px; }
.hf-answer { font-size: 20px; margin: 0 0 10px; overflow-wrap: anywhere; }
.hf-answer b { font-weight: 600; }
.hf-answer .hf-chip, .hf-note .hf-chip { font-variant-numeric: tabular-nums; vertical-align: 3px; color: inherit; }

/* Marks in texts and tables: texts.py */
.hf-spans { line-height: 2.1; }
.hf-span, .hf-cells mark, .hf-filled { color: var(--body-text-color); border-radius: 4px; padding: 2px 4px;
  background: color-mix(in srgb, var(--hf-hue, var(--hf-bar)) 22%, transparent);
  box-shadow: inset 0 -2px 0 var(--hf-hue, var(--hf-bar)); }
.hf-span { padding: 2px 0; border-radius: 0; }
.hf-opens { padding-left: 4px; border-radius: 4px 0 0 4px; }
.hf-closes { padding-right: 4px; border-radius: 0 4px 4px 0; }
.hf-opens.hf-closes { border-radius: 4px; }
.dark .hf-span, .dark .hf-cells mark, .dark .hf-filled {
  background: color-mix(in srgb, var(--hf-hue, var(--hf-bar)) 42%, transparent); }
.hf-spans sup { font-size: 10px; font-weight: 700; letter-spacing: .02em; margin-left: 4px; top: -.35em;
  position: relative; vertical-align: baseline; user-select: none; }
.hf-spans.hf-quiet mark { font-weight: 600; }
.hf-wrapping td:nth-child(2), .hf-found td { white-space: normal !important; overflow-wrap: anywhere; }
.hf-cells { border-collapse: separate; border-spacing: 0; }
.hf-cells th, .hf-cells td { padding: 5px 14px 5px 0 !important;
  border-bottom: 1px solid var(--border-color-primary) !important; }
.hf-cells mark { font-weight: 600; margin-left: -4px; }

/* Pictures with something laid over them, and the list of it: pictures.py */
.hf-look { display: flex; flex-wrap: wrap; gap: 14px 20px; align-items: flex-start; }
.hf-look > .hf-figure { flex: 4 1 400px; }
.hf-look > .hf-found { flex: 1 1 300px; max-height: 70vh; overflow-y: auto; }
.hf-figure { position: relative; margin: 0 0 8px; box-shadow: 0 0 0 1px var(--border-color-primary);
  overflow: hidden; border-radius: 8px; width: 100%; min-width: 0; }
.hf-figure > img { position: absolute; inset: 0; width: 100% !important; height: 100% !important; margin: 0 !important;
  max-width: none !important; }
.hf-figure > svg { position: absolute; inset: 0; width: 100%; height: 100%; }
.hf-figure rect { fill: none; stroke: var(--hf-hue); stroke-width: 2.5px; vector-effect: non-scaling-stroke; }
.hf-figure rect.hf-halo { stroke: #ffffffb3; stroke-width: 5px; }
.hf-figure .hf-name { position: absolute; transform: translateY(-100%); background: var(--hf-hue); color: #fff;
  font-size: 12px; font-weight: 600; line-height: 1.4; padding: 0 5px; border-radius: 3px 3px 0 0; max-width: 60%;
  white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.hf-figure .hf-name:empty { display: none; }
.hf-figure .hf-inside { transform: none; border-radius: 0 0 3px 0; }
.hf-figure .hf-middle { transform: translate(-50%, -50%); border-radius: 3px; }
.hf-shape { transition: opacity .12s; }
.hf-shape[hidden] { display: none !important; }
.hf-look:has(tr.hf-lit) .hf-shape:not(.hf-lit) { opacity: .15; }
.hf-found tr.hf-lit td { background: var(--background-fill-secondary); }
.hf-found tr:focus-visible { outline: 2px solid var(--hf-bar); outline-offset: -2px; }
.hf-found label { display: inline-flex; align-items: center; gap: 7px; cursor: pointer; margin: 0; }
.hf-found small { display: block; font-size: 11px; color: var(--body-text-color-subdued);
  font-variant-numeric: tabular-nums; }
.hf-found td, .hf-found th { vertical-align: top; }
.hf-found td { min-width: 7.5em; word-break: normal !important; }
.hf-found td.hf-number { min-width: 0; white-space: nowrap !important; overflow-wrap: normal !important; }
.hf-found td { padding-top: 4px !important; padding-bottom: 4px !important; }
.hf-found input { margin: 0; accent-color: var(--hf-bar); }
.hf-swatch { display: inline-block; width: 12px; height: 12px; border-radius: 3px; background: var(--hf-hue);
  margin-right: 7px; vertical-align: -1px; flex: none; }
label > .hf-swatch { margin-right: 0; }
.hf-found .hf-table { width: 100%; max-width: 440px; }
.hf-found th.hf-number:first-child { width: 1%; }

/* Two pictures and a slider, depths, matched points: pictures.py */
.hf-compare { --hf-cut: 50%; }
.hf-compare > .hf-over { clip-path: inset(0 0 0 var(--hf-cut)); }
.hf-compare > input { position: absolute; inset: 0; width: 100%; height: 100%; margin: 0; padding: 0; opacity: 0;
  cursor: ew-resize; touch-action: pan-y; -webkit-appearance: none; appearance: none; }
.hf-compare > input::-webkit-slider-thumb { -webkit-appearance: none; width: 1px; height: 1px; }
.hf-compare > input::-moz-range-thumb { width: 1px; height: 1px; border: 0; }
.hf-compare .hf-line { position: absolute; top: 0; bottom: 0; left: var(--hf-cut); width: 3px; margin-left: -1.5px;
  background: #fff; box-shadow: 0 0 0 1px #00000059; pointer-events: none; }
.hf-compare .hf-line::after { content: "◂ ▸"; position: absolute; top: 50%; left: 50%; transform: translate(-50%, -50%);
  background: #fff; color: #18181b; border-radius: 999px; font-size: 13px; font-style: normal; line-height: 32px;
  width: 40px; text-align: center; white-space: nowrap; box-shadow: 0 1px 4px #00000066; }
.hf-compare > input:focus-visible ~ .hf-line::after { outline: 3px solid var(--hf-bar); }
.hf-compare .hf-side { position: absolute; bottom: 8px; left: 8px; background: #000000b3; color: #fff; font-size: 12px;
  padding: 1px 8px; border-radius: 999px; pointer-events: none; }
.hf-compare .hf-right { left: auto; right: 8px; }
.hf-ramp { display: flex; align-items: center; gap: 10px; font-size: 13px; font-variant-numeric: tabular-nums;
  margin: 10px 0 6px; }
.hf-ramp i { flex: 1; height: 10px; border-radius: 5px; max-width: 320px; }
.hf-matches { display: block; width: 100%; height: auto; max-height: 80vh; border-radius: 8px; }
.hf-matches line { stroke: var(--hf-hue); stroke-width: 1.5px; vector-effect: non-scaling-stroke; }
.hf-matches circle { fill: var(--hf-hue); stroke: #18181b; stroke-width: .75px; vector-effect: non-scaling-stroke; }
.hf-matches g:hover line { stroke-width: 4px; }

/* Sound: sounds.py */
.hf-transcript audio, .hf-sound audio { display: block; width: 100%; margin: 6px 0 10px; }
.hf-pieces { white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.9; font-size: 15px; }
.hf-pieces button { display: inline; font: inherit; color: inherit; background: none; border: 0; padding: 2px 1px;
  border-radius: 4px; cursor: pointer; text-align: left; white-space: pre-wrap; text-decoration: underline dotted;
  text-decoration-color: var(--body-text-color-subdued); text-underline-offset: 4px; }
.hf-pieces button:hover, .hf-pieces button.hf-now { background: color-mix(in srgb, var(--hf-bar) 40%, transparent); }
.hf-pieces button:focus-visible { outline: 2px solid var(--hf-bar); }
.dark .hf-transcript audio, .dark .hf-sound audio { color-scheme: dark; }
.hf-sound svg { display: block; width: 100%; height: 96px; border-radius: 8px;
  background: var(--background-fill-secondary); }
.hf-sound polyline { fill: none; stroke: var(--hf-bar); stroke-width: 1.5px; vector-effect: non-scaling-stroke; }

/* Conversations: writing.py */
.hf-chat { display: flex; flex-direction: column; gap: 10px; }
.hf-bubble { max-width: 86%; min-width: 0; box-sizing: border-box; overflow-wrap: anywhere; align-self: flex-start;
  border-radius: 12px 12px 12px 3px; padding: 8px 14px;
  background: var(--background-fill-secondary); border: 1px solid var(--border-color-primary); }
.hf-bubble small { display: block; font-size: 11px; font-weight: 600; color: var(--body-text-color-subdued); }
.hf-bubble .hf-text { margin: 0; }
.hf-bubble .hf-chip { color: inherit; border-color: currentColor; }
.hf-bubble.hf-user { align-self: flex-end; border-radius: 12px 12px 3px 12px; background: var(--hf-first);
  border-color: transparent; }
.hf-bubble.hf-user .hf-text, .hf-bubble.hf-user small { color: var(--hf-first-ink); }
.hf-bubble.hf-system, .hf-bubble.hf-tool { align-self: stretch; max-width: none; border-style: dashed;
  border-radius: 8px; background: none; }
.hf-text details { margin: 2px 0 8px; font-size: 13px; color: var(--body-text-color-subdued); font-weight: 400; }
.hf-text details[open] { border-left: 2px solid var(--border-color-primary); padding-left: 10px; }
.hf-text summary { cursor: pointer; white-space: normal; }

/* Shaded numbers: the likeness of vectors, the odds of tokens: values.py, writing.py */
.hf-heat { border-collapse: separate; border-spacing: 2px; }
.hf-heat td { text-align: center !important; padding: 5px 8px !important; border-radius: 4px; min-width: 42px;
  font-variant-numeric: tabular-nums; }
.hf-heat th:first-child { max-width: min(26vw, 220px); overflow: hidden; text-overflow: ellipsis; }
.hf-heat td, .hf-odd { background: color-mix(in srgb, var(--hf-bar) calc(.5 * var(--hf-share)), transparent); }
.hf-odds { position: relative; line-height: 2; }
.hf-odd { border-radius: 3px; padding: 2px 1px; margin-right: 1px; cursor: default; anchor-name: --hf-odd;
  anchor-scope: --hf-odd; box-shadow: inset 0 -1px 0 var(--border-color-primary); }
.hf-odd:hover, .hf-odd:focus-visible { outline: 2px solid var(--hf-bar); }
.hf-rivals { display: none; position: absolute; z-index: 5; left: 0; width: min(290px, 100%); box-sizing: border-box;
  padding: 8px 12px; border-radius: 8px; font-size: 13px; line-height: 1.5; white-space: normal;
  background: var(--block-background-fill); border: 1px solid var(--border-color-primary); box-shadow: 0 6px 20px #0003;
  position-anchor: --hf-odd; top: calc(anchor(bottom) + 2px); left: clamp(0px, anchor(left), calc(100% - 290px)); }
.hf-odd:hover > .hf-rivals, .hf-odd:focus-within > .hf-rivals { display: block; }
.hf-rivals > span { display: block; color: var(--body-text-color-subdued); overflow-wrap: anywhere; }
.hf-rivals > .hf-rival { display: grid; grid-template-columns: minmax(60px, 35%) 1fr 48px; gap: 8px;
  align-items: center; color: var(--body-text-color); }
.hf-rival b { font-weight: 400; font-family: var(--font-mono); }
.hf-rival.hf-taken b { font-weight: 700; }
.hf-rival i { height: 9px; border-radius: 3px; background: var(--hf-bar-rest); min-width: 2px; }
.hf-rival.hf-taken i { background: var(--hf-bar); }
.hf-rival em { font-style: normal; text-align: right; font-variant-numeric: tabular-nums; }

/* Differences: differences.py */
.hf-changes { width: 100% !important; }
.hf-changes td:first-child { white-space: normal; overflow-wrap: anywhere; min-width: 72px; }
.hf-changes .hf-change { position: relative; width: 38%; min-width: 56px; padding: 3px 0 !important;
  background: linear-gradient(var(--border-color-primary) 0 0) center / 1px 100% no-repeat; }
.hf-change i { position: absolute; top: 5px; bottom: 5px; border-radius: 3px; background: var(--hf-bar);
  min-width: 2px; }
.hf-change i.hf-less { background: var(--hf-bar-rest); }
.hf-difference ins { background: color-mix(in srgb, var(--hf-good) 22%, transparent); text-decoration: underline;
  text-decoration-color: var(--hf-good); }
.hf-difference del { background: color-mix(in srgb, var(--hf-bad) 18%, transparent); text-decoration: line-through;
  text-decoration-color: var(--hf-bad); }
"""
