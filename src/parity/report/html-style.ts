/** The stylesheet of the HTML report: system fonts, light and dark. */
export const STYLE: string = `
:root { --back: #fff; --fore: #1a1d21; --soft: #5c6670; --line: #d9dee3; --fill: #f4f6f8;
  --good: #1a7f37; --bad: #c21f2c; --bar: #9ec5fe; }
@media (prefers-color-scheme: dark) {
  :root { --back: #15181c; --fore: #e6e9ec; --soft: #9aa4ae; --line: #333a42; --fill: #1e2329;
    --good: #4ac26b; --bad: #ff7b85; --bar: #274b7d; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--fore); font: 15px/1.5 system-ui, sans-serif; }
header { padding: 1.5rem 2rem; border-bottom: 4px solid; background: var(--fill); }
header.good { border-color: var(--good); } header.bad { border-color: var(--bad); }
h1 { margin: 0; font-size: 1.6rem; } h2 { font-size: 1.1rem; margin: 1.5rem 0 .5rem; } header p { margin: .3rem 0 0; }
main { padding: 0 2rem; max-width: 90rem; } footer { padding: 2rem; color: var(--soft); }
.columns { display: grid; gap: 0 2rem; grid-template-columns: repeat(auto-fit, minmax(min(26rem, 100%), 1fr)); align-items: start; }
.columns section, .scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .85rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .2rem .6rem .2rem 0; border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere; }
tr.differs td, tr.differs th { color: var(--bad); } tr.skipped td, tr.skipped th { color: var(--soft); }
details { border: 1px solid var(--line); border-radius: 6px; margin: .4rem 0; padding: .4rem .8rem; }
summary { cursor: pointer; overflow-wrap: anywhere; } summary span { color: var(--soft); margin-left: .5rem; }
summary em { font-style: normal; margin-left: .5rem; color: var(--good); }
details.bad { border-color: var(--bad); } details.bad summary em { color: var(--bad); }
.figures { display: flex; flex-wrap: wrap; gap: 1rem; margin: .8rem 0; align-items: flex-start; }
figure { margin: 0; } figcaption { color: var(--soft); font-size: .8rem; max-width: 16rem; }
img { max-width: 256px; max-height: 256px; min-width: 32px; background: repeating-conic-gradient(var(--line) 0 25%, var(--fill) 0 50%) 0 / 16px 16px; }
img.pixelated { image-rendering: pixelated; min-width: 160px; }
.bars { flex: 1 1 16rem; min-width: 14rem; max-width: 26rem; }
.bar { position: relative; display: flex; justify-content: space-between; gap: 1rem; padding: .15rem .4rem; margin: .2rem 0; background: var(--fill); font-size: .85rem; }
.bar i { position: absolute; inset: 0 auto 0 0; background: var(--bar); } .bar span, .bar b { position: relative; }
.bar b { font-weight: 500; font-variant-numeric: tabular-nums; }
pre { background: var(--fill); padding: .6rem .8rem; overflow-x: auto; font-size: .85rem; }
`;
