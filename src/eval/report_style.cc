#include "eval/report_style.h"

namespace brevet {

// Colours c0 .. c7 keep a contrast of at least 4.5 to 1 against the panel in either scheme and differ in
// lightness too, for readers who do not tell all hues apart.
std::string_view report_style() {
  return R"css(
:root{color-scheme:light dark;
--bg:#f6f7f8;--panel:#fff;--ink:#1b1f24;--muted:#57606a;--line:#d8dee4;--grid:#e7ebef;--soft:#eef1f4;--accent:#0063a8;
--good:#0b6e4f;--good-bg:#dcf3e8;--warn:#7a5200;--warn-bg:#fbefd2;--bad:#a3253b;--bad-bg:#fbe3e6;
--c0:#0063a8;--c1:#bf4800;--c2:#0b7a5b;--c3:#8a3d9c;--c4:#7d6100;--c5:#b32559;--c6:#2f6f80;--c7:#5151c6;
--h0:#f3b8a0;--h1:#f8d3c2;--h2:#fae9e0;--h3:#e3eff7;--h4:#c5dff0}
@media (prefers-color-scheme:dark){:root{
--bg:#0e1116;--panel:#161b22;--ink:#e6edf3;--muted:#9aa6b2;--line:#30373f;--grid:#242b33;--soft:#1d242c;--accent:#6cb6ff;
--good:#5fd8a6;--good-bg:#10352a;--warn:#eac26b;--warn-bg:#3a2e10;--bad:#ff9aa8;--bad-bg:#42181f;
--c0:#6cb6ff;--c1:#ff9a57;--c2:#46d1a2;--c3:#d9a0ea;--c4:#e2c14c;--c5:#ff8ab0;--c6:#80cbdc;--c7:#a9a8ff;
--h0:#6b2f1a;--h1:#52301f;--h2:#372a24;--h3:#1d3140;--h4:#1c4562}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif}
main,header,footer{max-width:1280px;margin:0 auto;padding:0 20px}
header{padding-top:28px}
h1{font-size:26px;line-height:1.2;margin:0 0 6px}
h2{font-size:21px;margin:0 0 4px}
h3{font-size:16px;margin:26px 0 8px}
p{margin:6px 0}
a{color:var(--accent)}
code{font:13px/1.45 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;overflow-wrap:anywhere}
.sub{color:var(--muted)}
nav{margin:14px 0 0;display:flex;flex-wrap:wrap;gap:8px}
nav a{padding:3px 12px;border:1px solid var(--line);border-radius:999px;background:var(--panel);text-decoration:none}
section.data,section.card{background:var(--panel);border:1px solid var(--line);border-radius:10px;padding:22px;margin:20px 0}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(135px,1fr));gap:10px;margin:16px 0 12px}
.tile{background:var(--soft);border-radius:8px;padding:9px 12px}
.tile b{display:block;font-size:21px;line-height:1.25;font-variant-numeric:tabular-nums}
.tile span{color:var(--muted);font-size:12.5px}
.verdicts{list-style:none;padding:0;margin:12px 0;display:grid;gap:5px}
.badge{display:inline-block;white-space:nowrap;border-radius:999px;padding:1px 10px;font-size:12.5px;font-weight:600}
.good{color:var(--good);background:var(--good-bg)}
.warn{color:var(--warn);background:var(--warn-bg)}
.bad{color:var(--bad);background:var(--bad-bg)}
figure{margin:12px 0}
figcaption{color:var(--muted);font-size:13.5px;max-width:95ch;margin-top:6px}
svg{display:block;width:100%;height:auto;font-family:inherit}
svg.swatch{width:34px;height:16px;display:inline-block;vertical-align:-3px;margin-right:6px}
.legend{list-style:none;padding:0;margin:8px 0 0;display:flex;flex-wrap:wrap;gap:4px 18px;font-size:13.5px}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(300px,1fr));gap:16px}
.squares{display:grid;grid-template-columns:repeat(auto-fill,minmax(255px,1fr));gap:16px}
.squares p{font-size:13px;margin:0}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:13.5px;font-variant-numeric:tabular-nums}
caption{text-align:left;color:var(--muted);font-size:13.5px;padding-bottom:6px;caption-side:top}
th,td{padding:5px 7px;border-bottom:1px solid var(--grid);text-align:right;vertical-align:top}
th{font-weight:600;color:var(--muted);border-bottom-color:var(--line);vertical-align:bottom}
tbody th{font-weight:600;color:var(--ink);text-align:left;border-bottom-color:var(--grid);vertical-align:top}
td.l,th.l{text-align:left}
td small,th small{display:block;color:var(--muted);font-size:11.5px;font-weight:400;white-space:nowrap}
tbody th small{white-space:normal;max-width:26ch;overflow-wrap:anywhere}
ul.sub{font-size:13.5px}
tr.base th,tr.base td{color:var(--muted)}
tbody tr:hover td,tbody tr:hover th{background:var(--soft)}
td.none{color:var(--muted)}
td.h0{background:var(--h0)}td.h1{background:var(--h1)}td.h2{background:var(--h2)}td.h3{background:var(--h3)}td.h4{background:var(--h4)}
td.prompt{min-width:240px}
.key{display:inline-block;width:13px;height:13px;border-radius:3px;vertical-align:-2px;margin:0 4px 0 12px}
.key.h0{background:var(--h0)}.key.h1{background:var(--h1)}.key.h2{background:var(--h2)}.key.h3{background:var(--h3)}.key.h4{background:var(--h4)}
.notes{border-left:3px solid var(--c4);padding:2px 0 2px 14px;margin:14px 0}
.notes ul{margin:4px 0;padding-left:20px}
dl{display:grid;grid-template-columns:max-content 1fr;gap:3px 18px;margin:8px 0;font-size:13.5px}
dt{color:var(--muted)}dd{margin:0;overflow-wrap:anywhere}
.grid{stroke:var(--grid);stroke-width:1}
.axis{stroke:var(--muted);stroke-width:1}
.tick{fill:var(--muted);font-size:12px}
.axis-title{fill:var(--muted);font-size:12.5px}
.plot-title{fill:var(--ink);font-size:14px;font-weight:600}
.hint{fill:var(--muted);font-size:12px;font-style:italic}
.hull{fill:none;stroke:var(--muted);stroke-width:1.6;stroke-linejoin:round}
.curve{fill:none;stroke-width:2.2;stroke-linejoin:round;stroke-linecap:round}
.dashed{stroke-dasharray:5 5;stroke-width:1.5}
.whisker{stroke-width:1.6;opacity:.75}
.band{stroke:none;opacity:.14}
.mark{stroke:var(--panel);stroke-width:1.2}
.bar{opacity:.55}
.single{fill:var(--ink)}
.star{fill:var(--c4);stroke:var(--panel);stroke-width:1}
.label{font-size:12px;fill:var(--ink);paint-order:stroke;stroke:var(--panel);stroke-width:3.5px;stroke-linejoin:round}
.strong{font-weight:600}
)css"
         R"css(
.curve.c0,.whisker.c0{stroke:var(--c0)}.mark.c0,.band.c0,.bar.c0,.label.c0{fill:var(--c0)}
.curve.c1,.whisker.c1{stroke:var(--c1)}.mark.c1,.band.c1,.bar.c1,.label.c1{fill:var(--c1)}
.curve.c2,.whisker.c2{stroke:var(--c2)}.mark.c2,.band.c2,.bar.c2,.label.c2{fill:var(--c2)}
.curve.c3,.whisker.c3{stroke:var(--c3)}.mark.c3,.band.c3,.bar.c3,.label.c3{fill:var(--c3)}
.curve.c4,.whisker.c4{stroke:var(--c4)}.mark.c4,.band.c4,.bar.c4,.label.c4{fill:var(--c4)}
.curve.c5,.whisker.c5{stroke:var(--c5)}.mark.c5,.band.c5,.bar.c5,.label.c5{fill:var(--c5)}
.curve.c6,.whisker.c6{stroke:var(--c6)}.mark.c6,.band.c6,.bar.c6,.label.c6{fill:var(--c6)}
.curve.c7,.whisker.c7{stroke:var(--c7)}.mark.c7,.band.c7,.bar.c7,.label.c7{fill:var(--c7)}
.curve.muted,.whisker.muted{stroke:var(--muted)}.mark.muted,.band.muted,.bar.muted,.label.muted{fill:var(--muted)}
@media (max-width:600px){section.data,section.card{padding:14px}main,header,footer{padding:0 10px}}
@media print{:root{color-scheme:light;--bg:#fff;--panel:#fff;--ink:#000;--muted:#444;--line:#bbb;--grid:#ddd;--soft:#f3f3f3;
--good:#0b6e4f;--good-bg:#dcf3e8;--warn:#7a5200;--warn-bg:#fbefd2;--bad:#a3253b;--bad-bg:#fbe3e6;
--c0:#0063a8;--c1:#bf4800;--c2:#0b7a5b;--c3:#8a3d9c;--c4:#7d6100;--c5:#b32559;--c6:#2f6f80;--c7:#5151c6;
--h0:#f3b8a0;--h1:#f8d3c2;--h2:#fae9e0;--h3:#e3eff7;--h4:#c5dff0}
@page{size:A4 landscape;margin:10mm}
body{font-size:11px}main,header,footer{max-width:none;padding:0}nav{display:none}
table,caption,figcaption,.legend{font-size:9.5px}th,td{padding:2px 4px}td small,th small{font-size:8px}.badge{font-size:9px;padding:0 5px}td.prompt{min-width:0}section.data,section.card{border:0;padding:0}
figure>svg{max-height:105mm}figure,tr,.tile{break-inside:avoid}h2,h3{break-after:avoid}.scroll{overflow:visible}
*{-webkit-print-color-adjust:exact;print-color-adjust:exact}}
)css";
}

}  // namespace brevet
