/** The report's style sheet: light and dark, no fonts or pictures from elsewhere. */

export const PAGE_STYLE = `
:root { color-scheme: light dark; --paper: #fdfdfb; --panel: #fff; --ink: #1d2129; --soft: #626a78; --rule: #e2e4e9; --mark: #eef0f4;
  --accent: #3158c9; --red: 214 58 48; --green: 22 138 78;
  --k0: #3158c9; --k1: #d9622b; --k2: #16875a; --k3: #a33fb0; --k4: #b58900; --k5: #0f93a8; --k6: #c22d5a; --k7: #6b7280; }
@media (prefers-color-scheme: dark) { :root { --paper: #14161a; --panel: #1b1e24; --ink: #e4e6ea; --soft: #98a1b0; --rule: #2e333c; --mark: #262a32;
  --accent: #8eaaff; --red: 255 92 80; --green: 46 190 116;
  --k0: #8eaaff; --k1: #ff9a63; --k2: #4cc38a; --k3: #d98be3; --k4: #e0b94a; --k5: #4fc9dc; --k6: #ff7c9f; --k7: #a6afbd; } }
* { box-sizing: border-box }
[hidden] { display: none !important }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif }
main { max-width: 1120px; margin: 0 auto; padding: 36px 24px 80px }
h1 { font-size: 30px; line-height: 1.2; margin: 0 0 4px; letter-spacing: -.01em }
h2 { font-size: 20px; margin: 52px 0 6px; letter-spacing: -.005em }
h3 { font-size: 15px; margin: 24px 0 6px }
p { margin: 6px 0; max-width: 75ch } .soft, small { color: var(--soft) } small { font-size: 13px }
code, pre, .text { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 13px }
nav { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 18px 0 0; padding: 10px 0; border-block: 1px solid var(--rule); font-size: 14px }
a { color: var(--accent); text-decoration: none } a:hover { text-decoration: underline }
dl { display: flex; flex-wrap: wrap; gap: 14px 36px; margin: 18px 0 } dt { color: var(--soft); font-size: 13px } dd { margin: 0; font-variant-numeric: tabular-nums }
.wide { overflow-x: auto }
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums }
th { text-align: left; font-weight: 500; color: var(--soft); font-size: 13px; padding: 6px 12px 6px 0; border-bottom: 1px solid var(--ink); vertical-align: bottom; white-space: nowrap }
td { padding: 9px 12px 9px 0; border-bottom: 1px solid var(--rule); vertical-align: top } .n { text-align: right; white-space: nowrap }
td .question, td .why { display: block; color: var(--soft); font-size: 13px; max-width: 34ch } td .why { color: rgb(var(--red)) }
tr.best td:first-child b::after { content: " ★"; color: var(--k4) }
.bar { display: block; width: 220px; height: 20px; overflow: visible } .bar .track { fill: var(--mark) } .bar .fill { fill: var(--k0); opacity: .8 }
.bar .half { stroke: var(--soft); stroke-dasharray: 2 2 } .bar .interval { stroke: var(--ink); stroke-width: 1.5 }
.stack { display: flex; height: 14px; margin: 4px 0; border-radius: 2px; overflow: hidden } .stack i { display: block; min-width: 1px }
.legend { display: flex; flex-wrap: wrap; gap: 4px 6px; margin: 8px 0 }
.legend > * { display: inline-flex; align-items: center; gap: 6px; font: inherit; font-size: 13px; padding: 2px 9px; border: 1px solid var(--rule); border-radius: 99px; background: none; color: inherit }
button.key { cursor: pointer } button.key[aria-pressed=false] { opacity: .4; text-decoration: line-through }
.swatch { width: 12px; height: 3px; background: currentColor; border-radius: 2px } .legend .swatch.block { height: 10px }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 440px), 1fr)); gap: 16px }
.chart { margin: 0; padding: 12px 14px 8px; background: var(--panel); border: 1px solid var(--rule); border-radius: 8px; position: relative }
.chart figcaption { font-size: 14px; font-weight: 500; display: flex; gap: 8px; align-items: baseline; flex-wrap: wrap } .chart figcaption code { margin-left: auto; color: var(--soft); font-size: 11px; font-weight: 400 }
.chart svg { width: 100%; height: auto; display: block } .chart text { font-size: 10.5px; fill: var(--soft) }
.grid { stroke: var(--rule) } .series path { fill: none; stroke: currentColor; stroke-width: 1.7; stroke-linejoin: round } .series .dot { fill: currentColor }
.series.dashed path { stroke-dasharray: 5 3 } .cursor { stroke: var(--soft) }
.values { position: absolute; pointer-events: none; top: 40px; z-index: 2; background: var(--panel); border: 1px solid var(--rule); border-radius: 6px; padding: 6px 10px; font-size: 12px; box-shadow: 0 4px 16px rgb(0 0 0 / .18); font-variant-numeric: tabular-nums; white-space: nowrap } .values:empty { display: none } .values div { display: flex; gap: 8px; align-items: center } .values b { margin-left: auto; padding-left: 10px; font-weight: 500 }
${[0, 1, 2, 3, 4, 5, 6, 7].map(i => `.c${i} { color: var(--k${i}) }`).join(' ')}
.legend .key.dashed .swatch { background: repeating-linear-gradient(90deg, currentColor 0 4px, transparent 4px 6px) }
.legend span.name, .values span { color: var(--ink) }
.card { background: var(--panel); border: 1px solid var(--rule); border-radius: 8px; padding: 14px 18px; margin: 12px 0 }
.card header { display: flex; flex-wrap: wrap; gap: 4px 18px; font-size: 13px; color: var(--soft); margin-bottom: 8px } .card header b { color: var(--ink); font-weight: 600 }
.text { white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.9; unicode-bidi: isolate; margin: 4px 0 } .prompt { color: var(--soft); line-height: 1.5; max-height: 9em; overflow: auto; padding-left: 12px; border-left: 3px solid var(--rule) }
.tok { border-radius: 3px; padding: 2px 0; position: relative; background: rgb(var(--green) / calc(var(--h) * .62)) } .tok.neg { background: rgb(var(--red) / calc(var(--h) * .62)) }
.tok:hover { outline: 1px solid var(--ink) } .tok:hover::after { content: attr(data-r); position: absolute; left: 0; bottom: 100%; z-index: 3; background: var(--ink); color: var(--paper); font-size: 12px; line-height: 1; padding: 4px 6px; border-radius: 4px; white-space: nowrap }
.scale { display: inline-block; width: 120px; height: 10px; border-radius: 3px; border: 1px solid var(--rule); background: linear-gradient(90deg, rgb(var(--red) / .62), transparent, rgb(var(--green) / .62)) }
del { color: rgb(var(--red)); text-decoration-thickness: 1.5px; background: rgb(var(--red) / .08) } ins { color: rgb(var(--green)); text-decoration-thickness: 1.5px; text-underline-offset: 3px; background: rgb(var(--green) / .1) }
.controls { display: flex; flex-wrap: wrap; gap: 10px 16px; align-items: center; font-size: 14px; margin: 10px 0 } select, .controls button, .more { font: inherit; font-size: 14px; color: inherit; background: var(--panel); border: 1px solid var(--rule); border-radius: 6px; padding: 4px 10px } .more { cursor: pointer }
pre { overflow-x: auto; background: var(--panel); border: 1px solid var(--rule); border-radius: 8px; padding: 14px 18px; line-height: 1.5 } summary { cursor: pointer }
@media print { nav, .controls, .more { display: none } }
`
