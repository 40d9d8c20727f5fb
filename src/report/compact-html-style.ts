/**
 * The look of the report's page: by day, by night, on paper, on a narrow screen.
 *
 * Colours of page kinds are the same in all of them and lie, more or less opaque, on a ground that
 * differs; what the ground shows through is free memory.
 */
export const COMPACT_STYLE: string = `
:root {
  --paper: #fbfbfa; --ink: #1b2129; --soft: #59636e; --line: #dde1e6; --free: #e3e8ee;
  --hole: #80808060; --movable: #3f8fe0; --fixed: #d4922a; --held: #8a63d2; --good: #1a7f37;
  --alarm: #b3261e; --raised: #ffffff;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171c; --ink: #e2e6eb; --soft: #9aa4af; --line: #2d343d; --free: #29323e;
    --movable: #4c9be8; --fixed: #e0a030; --held: #a586e0; --good: #5fc47a; --alarm: #ff6b60;
    --raised: #1d222a;
  }
}
* { box-sizing: border-box; }
html { font-size: 16px; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
}
main { max-width: 1200px; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
section, footer { margin-top: 2.75rem; }
h1 { font-size: 2rem; line-height: 1.2; margin: 0.2rem 0 0; letter-spacing: -0.01em; }
h2 { font-size: 1.25rem; line-height: 1.3; margin: 0 0 0.5rem; }
h3 { font-size: 1rem; margin: 1.75rem 0 0.5rem; }
p, ul { max-width: 46rem; margin: 0.5rem 0; }
ul { padding-left: 1.2rem; }
header p { margin: 0; }
.soft, caption { color: var(--soft); font-size: 0.9rem; }
.alarm {
  max-width: none; margin: 0 0 1.5rem; padding: 1rem 1.25rem; border: 3px solid var(--alarm);
  color: var(--alarm); font-weight: 700; font-size: 1.15rem;
}
code, pre { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
code { font-size: 0.875em; }
pre {
  margin: 0.75rem 0; padding: 0.9rem 1.1rem; background: var(--raised); border: 1px solid var(--line);
  border-radius: 6px; font-size: 0.85rem; line-height: 1.5; overflow-x: auto;
}

.wide { overflow-x: auto; margin: 0.75rem 0; }
table { border-collapse: collapse; width: 100%; font-size: 0.9rem; }
caption { text-align: left; padding-bottom: 0.35rem; }
th, td { padding: 0.4rem 1.1rem 0.4rem 0; text-align: left; vertical-align: top; }
thead th { font-weight: 600; color: var(--soft); vertical-align: bottom; line-height: 1.3; }
tbody tr, tfoot tr { border-top: 1px solid var(--line); }
tbody th, tfoot th { font-weight: 600; white-space: nowrap; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
thead .number { white-space: normal; }
.answers td, .answers tbody th { padding-top: 0.6rem; padding-bottom: 0.6rem; vertical-align: middle; }
.answers tbody th { white-space: normal; min-width: 9rem; }
.answer { font-size: 1.35rem; font-weight: 650; line-height: 1.2; }
.gain { font-weight: 600; color: var(--good); }

.swatch {
  display: inline-block; width: 0.85em; height: 0.85em; margin-right: 0.4em; border-radius: 2px;
  vertical-align: -0.05em; print-color-adjust: exact; -webkit-print-color-adjust: exact;
}
.answers .bar { width: 30%; min-width: 10rem; }
.reasons .bar { width: 9rem; min-width: 4rem; }
.reasons td:nth-last-child(-n + 2) { width: 26%; min-width: 14rem; }
.shares, .single { display: flex; height: 0.85rem; border-radius: 3px; overflow: hidden; }
.shares { gap: 1px; }
.single { min-width: 1px; margin-top: 0.3rem; }
.shares span { display: block; }
.shares, .single, .shares span { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
.free { background: var(--free); box-shadow: inset 0 0 0 1px var(--line); }
.hole { background: var(--hole); }
.movable, .settled { background: var(--movable); }
.fixed { background: var(--fixed); }
.held { background: var(--held); }

#maps {
  position: relative; display: grid; gap: 1.5rem; margin: 1.25rem 0 0.5rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 480px), 1fr));
}
figure { margin: 0; }
figcaption { font-weight: 600; margin: 0 0 0.5rem 3.2rem; }
.chart { display: flex; }
.ticks { position: relative; flex: 0 0 3.2rem; font-size: 0.75rem; color: var(--soft); }
.ticks span { position: absolute; right: 0.6rem; line-height: 1; white-space: nowrap; }
.map {
  position: relative; flex: 0 1 512px; min-width: 0; background: var(--free);
  print-color-adjust: exact; -webkit-print-color-adjust: exact; touch-action: pan-y;
}
.map img { display: block; width: 100%; height: 100%; image-rendering: pixelated; }
.map:focus-visible { outline: 2px solid var(--movable); outline-offset: 3px; }
.mark {
  position: absolute; pointer-events: none; outline: 2px solid var(--ink);
  box-shadow: 0 0 0 4px var(--paper);
}
#tip {
  position: absolute; z-index: 1; pointer-events: none; padding: 0.6rem 0.8rem;
  background: var(--raised); border: 1px solid var(--line); border-radius: 6px;
  box-shadow: 0 4px 16px #0004; font-size: 0.82rem; line-height: 1.4; white-space: nowrap;
  font-variant-numeric: tabular-nums;
}
#tip[hidden], .mark[hidden] { display: none; }
#tip table { width: auto; margin-top: 0.35rem; font-size: inherit; }
#tip tr { border: 0; }
#tip th, #tip td { padding: 0 1rem 0 0; font-weight: 400; text-align: right; }
#tip th:first-child { text-align: left; }

.certainty { font-weight: 600; }
.certainty.exact { color: var(--good); }
.certainty.guess, .certainty.missing { color: var(--alarm); }
footer { border-top: 1px solid var(--line); padding-top: 1.5rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.2rem 1.25rem; margin: 0; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }

@media (max-width: 720px) {
  main { padding: 1.25rem 1rem 3rem; }
  h1 { font-size: 1.5rem; }
  th, td { padding-right: 0.7rem; }
  .bar { display: none; }
  #tip { white-space: normal; max-width: 18rem; }
}
@media print {
  :root {
    --paper: #fff; --ink: #000; --soft: #444; --line: #bbb; --free: #e3e8ee; --raised: #fff;
    --movable: #3f8fe0; --fixed: #d4922a; --held: #8a63d2; --good: #1a7f37; --alarm: #b3261e;
  }
  html { font-size: 10.5px; }
  .wide { overflow: visible; }
  main { max-width: none; padding: 0; }
  #maps { grid-template-columns: 1fr 1fr; gap: 1rem; }
  #map-help { display: none; }
  tr, figure, h2 { break-inside: avoid; }
  h2 { break-after: avoid; }
}
`;
