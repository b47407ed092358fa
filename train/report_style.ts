/** The style sheet of reports. @module */

/** CSS for light and dark screens, phones and paper. */
export const reportStyle: string = `
:root {
  color-scheme: light dark;
  --ground: #fcfcfa; --card: #f2f2ee; --ink: #1d1f23; --quiet: #5d626b;
  --rule: #dcdcd6; --train: #2b66c9; --validation: #c2410c; --other: #0f766e;
  --last: #7c4dbd;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #16181c; --card: #1f2227; --ink: #e7e8ea; --quiet: #9aa1ac;
    --rule: #33373e; --train: #7fb0ff; --validation: #ff9f66; --other: #5ad1c3;
    --last: #bd9bf0;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: clamp(1.25rem, 4vw, 3.5rem) clamp(1rem, 4vw, 2rem);
  max-width: 60rem; background: var(--ground); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  -webkit-text-size-adjust: 100%;
}
h1 { font-size: clamp(1.6rem, 5vw, 2.3rem); line-height: 1.15; margin: 0 0 .6rem;
  letter-spacing: -.02em; text-wrap: balance; }
h2 { font-size: 1.2rem; line-height: 1.3; margin: 3rem 0 1rem;
  letter-spacing: -.01em; }
h3 { font-size: .95rem; margin: 0 0 .25rem; font-weight: 600; }
main > h3, main > figure + figure, main > div + figure { margin-top: 2.25rem; }
main > h3 + .small-charts { margin-top: 1rem; }
main > figure > h3 { margin-left: -3.6rem; }
p { margin: 0 0 1rem; max-width: 42rem; text-wrap: pretty; }
.lead { font-size: 1.1rem; color: var(--quiet); }
.lead strong { color: var(--ink); font-weight: 600; }
.figures { display: grid; gap: .75rem; margin: 2rem 0 0;
  grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); }
.figures div { background: var(--card); border-radius: .6rem;
  padding: .8rem 1rem; }
.figures dt { color: var(--quiet); font-size: .82rem; line-height: 1.3; }
.figures dd { margin: .15rem 0 0; font-size: 1.45rem; line-height: 1.2;
  font-weight: 600; letter-spacing: -.02em; font-variant-numeric: tabular-nums; }
.figures small { display: block; font-size: .8rem; font-weight: 400;
  letter-spacing: 0; color: var(--quiet); margin-top: .15rem; }
figure { margin: 0; padding: 0 .5rem 0 3.6rem; }
.small-charts { display: grid; gap: 2rem 1.5rem; margin-top: 2.5rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 15rem), 1fr)); }
.small-charts h3 { margin-left: -3.6rem; }
svg.chart { display: block; width: 100%; overflow: visible; }
.chart .grid line { stroke: var(--rule); }
.chart text { fill: var(--quiet); font-size: 12px;
  font-variant-numeric: tabular-nums; }
.chart .rows text { text-anchor: end; }
.chart .columns text { text-anchor: middle; }
.chart .legend text { fill: var(--ink); font-size: 13px; }
.chart polyline { fill: none; stroke-width: 2; stroke-linejoin: round;
  vector-effect: non-scaling-stroke; }
.legend { display: flex; flex-wrap: wrap; gap: .1rem 1.4rem; font-size: 13px;
  margin-bottom: .3rem; }
.legend span { display: inline-flex; align-items: center; gap: .5rem; }
.legend svg.chart { width: 24px; }
.legend line { stroke-width: 2.5; }
.train { stroke: var(--train); }
.raw { stroke: var(--train); opacity: .28; }
.chart polyline.raw { stroke-width: 1; }
.validation { stroke: var(--validation); }
.chart circle { fill: var(--validation); stroke: var(--ground);
  stroke-width: 1.5; }
.other { stroke: var(--other); }
.chart polyline.other { stroke-width: 1.5; }
.reference { stroke: var(--quiet); }
.chart .reference circle, .chart circle.reference { fill: var(--quiet); }
.chart polyline.reference { stroke-width: 1.5; }
.chart polyline.faint, .legend .faint line { stroke-dasharray: 4 3; }
.chart .train circle { fill: var(--train); }
.chart .other circle { fill: var(--other); }
.limit { stroke: var(--quiet); stroke-dasharray: 6 4; }
.chart polyline.limit { stroke-width: 1.2; }
.heat rect { fill: var(--card); }
.heat path { fill: var(--validation); }
.band rect { stroke: none; }
.band rect.ground { fill: var(--card); }
.band rect.train, .phases rect.train { fill: var(--train); }
.band rect.validation, .phases rect.validation { fill: var(--validation); }
.band svg text { fill: var(--ink); text-anchor: middle; }
.band .axis text { fill: var(--quiet); }
.phases rect { stroke: none; }
.phases td.bar { width: 45%; }
.phases td.number { padding-right: .75rem; }
table.confusion { width: auto; font-size: .8rem; }
.confusion th, .confusion td { padding: .25rem .4rem; text-align: right;
  white-space: nowrap; }
.confusion thead th { vertical-align: bottom; }
.confusion th.number, .confusion td.number { padding-left: .9rem; }
.confusion thead span { writing-mode: vertical-rl; transform: rotate(180deg); }
.confusion td.right { background: color-mix(in srgb,
  var(--train) var(--strength), var(--ground)); }
.confusion td.wrong { background: color-mix(in srgb,
  var(--validation) var(--strength), var(--ground)); }
th.number { text-align: right; padding-right: 0; }
figure.wide { padding: 0; margin-bottom: 2rem; }
.scroll { overflow-x: auto; }
svg.cycle { display: block; width: 100%; min-width: 40rem; }
figcaption { color: var(--quiet); font-size: .88rem; margin-top: .5rem; }
.cycle text { fill: var(--ink); font-size: 12px; text-anchor: middle; }
.cycle .label { fill: var(--quiet); text-anchor: end; }
.cycle .ticks text { fill: var(--quiet); }
.cycle .legend text { fill: var(--quiet); text-anchor: start; }
.cycle path { fill: none; stroke: var(--quiet); stroke-width: 1; }
.cycle .grid path { stroke: color-mix(in srgb, var(--quiet) 45%, var(--ground)); }
.cycle rect { stroke: var(--ground); stroke-width: 1; }
.cycle .f { --mark: var(--train); }
.cycle .c { --mark: var(--validation); }
.cycle .coarse { --mark: var(--other); }
.cycle .final { --mark: var(--last); }
.cycle .residual, .cycle .serial { --mark: var(--quiet); }
.cycle rect { fill: color-mix(in srgb, var(--mark) 35%, var(--ground)); }
.cycle circle { fill: var(--mark); }
.cycle circle.f { fill: var(--ground); stroke: var(--mark); }
.unit { color: var(--quiet); font-size: .85rem; margin: .25rem 0 0 3.6rem; }
pre { background: var(--card); border-radius: .6rem; padding: 1rem 1.1rem;
  margin: 0 0 1rem; overflow-x: auto; white-space: pre-wrap;
  overflow-wrap: anywhere; font: .82rem/1.5 ui-monospace, SFMono-Regular, Menlo,
  Consolas, "DejaVu Sans Mono", monospace; tab-size: 2; }
pre mark { background: none; color: var(--train); font-weight: 600; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th, td { text-align: left; vertical-align: baseline; padding: .4rem .75rem .4rem 0;
  border-bottom: 1px solid var(--rule); }
tbody th { font-weight: 400; white-space: nowrap; }
td { font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
td.help { color: var(--quiet); width: 55%; }
td.changed { font-weight: 650; }
th[scope=rowgroup] { padding-top: 1.4rem; color: var(--quiet);
  font-size: .82rem; font-weight: 600; }
td.number { text-align: right; padding-right: 0; white-space: nowrap; }
.narrow { max-width: 26rem; }
.compared td { white-space: nowrap; }
.scroll + p { margin-top: .75rem; }
.compared small { color: var(--quiet); font-size: .85rem; }
.compared p { margin: 0; min-width: 14rem; white-space: normal;
  color: var(--quiet); font-size: .85rem; line-height: 1.35; }
footer { margin-top: 3.5rem; color: var(--quiet); font-size: .88rem; }
@media (max-width: 34rem) {
  .figures { grid-template-columns: repeat(2, 1fr); }
  figure { padding-left: 2.9rem; }
  .small-charts h3, main > figure > h3, .unit { margin-left: -2.9rem; }
  .unit { margin-left: 2.9rem; }
  td.help { display: none; }
}
@media print {
  body { max-width: none; }
  h2 { break-after: avoid; }
  pre, figure { break-inside: avoid; }
}
`;
