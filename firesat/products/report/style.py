"""How our pages look: one style sheet for screens, phones and paper, without outside resources."""

STYLE = """
:root { color-scheme: light; --ink: #1c1a22; --soft: #57525f; --line: #dcd8e0; --paper: #fff;
  --wash: #f7f5f9; --accent: #5d1f86; --warn: #7a3b00; --warn-wash: #fff4e5; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 66rem; color: var(--ink);
  background: var(--paper); font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto,
  "Noto Sans", "Liberation Sans", sans-serif; }
header { border-bottom: 3px solid var(--accent); margin-bottom: 1.5rem; }
h1 { font-size: clamp(1.5rem, 1.1rem + 2vw, 2.2rem); line-height: 1.2; margin: 0 0 .5rem;
  text-wrap: balance; }
h2 { font-size: 1.3rem; margin: 2.2rem 0 .6rem; }
h3 { font-size: 1.05rem; margin: 1.4rem 0 .4rem; }
.kicker { margin: 0 0 .2rem; color: var(--accent); font-weight: 600; letter-spacing: .02em; }
.lead { font-size: 1.15rem; font-weight: 600; }
.badge { background: var(--accent); color: #fff; padding: .6rem .9rem; border-radius: .4rem;
  font-weight: 600; }
.warn { background: var(--warn-wash); color: var(--warn); padding: .6rem .9rem;
  border-left: .3rem solid var(--warn); border-radius: .2rem; }
.cards { list-style: none; padding: 0; display: grid; gap: .8rem;
  grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); }
.cards li { background: var(--wash); border: 1px solid var(--line); border-radius: .5rem;
  padding: .8rem 1rem; }
.cards strong { display: block; font-size: 1.8rem; line-height: 1.2; color: var(--accent); }
.cards span { color: var(--soft); font-size: .92rem; }
.verdicts { list-style: none; padding: 0; }
.verdicts li { padding: .25rem 0 .25rem 1.6rem; position: relative; }
.verdicts li::before { position: absolute; left: 0; font-weight: 700; }
.verdicts .ahead::before { content: "\\2714"; color: #00654c; }
.verdicts .behind::before { content: "\\2716"; color: #9c1c1c; }
.verdicts .open::before { content: "?"; left: .25rem; color: var(--warn); }
.scroll { overflow-x: auto; margin: 0 0 1.4rem; }
table { border-collapse: collapse; width: 100%; font-size: .93rem;
  font-variant-numeric: tabular-nums; }
caption { text-align: left; padding: .3rem 0 .5rem; }
caption span { display: inline-block; position: sticky; left: 0; max-width: calc(100vw - 2rem); }
th, td { padding: .4rem .6rem; text-align: right; border-bottom: 1px solid var(--line);
  vertical-align: top; }
thead th { border-bottom: 2px solid var(--ink); vertical-align: bottom; }
th:first-child { text-align: left; position: sticky; left: 0; background: var(--paper); }
.model th, .model td, .model th:first-child { background: var(--wash); font-weight: 600; }
small { display: block; color: var(--soft); font-weight: 400; white-space: nowrap; }
.none { color: var(--soft); }
.charts { display: grid; gap: 1.6rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); }
figure { margin: 0; max-width: 30rem; break-inside: avoid; }
figure.wide { max-width: none; overflow-x: auto; }
figure.wide img { min-width: 40rem; }
img { max-width: 100%; width: 100%; height: auto; }
figcaption { color: var(--soft); font-size: .92rem; }
dl { display: grid; grid-template-columns: minmax(9rem, max-content) 1fr; gap: .3rem 1.2rem; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
li { margin: .2rem 0; }
footer { margin-top: 2.5rem; padding-top: 1rem; border-top: 1px solid var(--line);
  font-size: .9rem; color: var(--soft); }
@media (max-width: 34rem) { dl { grid-template-columns: 1fr; gap: 0; } dd { margin: 0 0 .6rem; } }
@media print { body { max-width: none; padding: 0; font-size: 10pt; }
  .badge { background: none; color: var(--ink); border: 2px solid var(--ink); }
  .scroll, figure.wide { overflow: visible; } figure.wide img { min-width: 0; }
  h2 { break-after: avoid; } tr, .cards li { break-inside: avoid; } }
"""
