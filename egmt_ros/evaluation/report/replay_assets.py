"""Style and script of the report of an evaluated bag, beside those of `page_assets`."""

from __future__ import annotations

STYLE = """
:root { --k0:#2f6fd6; --k1:#c2410c; --k2:#4b7f12; --k3:#8a3ffc; --k4:#b0197a; --k5:#0e7490; }
@media (prefers-color-scheme: dark) { :root {
  --k0:#6ea4ff; --k1:#ff9b62; --k2:#a3d65c; --k3:#bd94ff; --k4:#ff8fcf; --k5:#5fd0e6; } }
.banner { border:1px solid var(--bad); border-left-width:6px; background:var(--card);
  border-radius:10px; padding:12px 16px; margin-top:14px; overflow-wrap:anywhere; }
.banner ul { margin:4px 0 0; padding-left:20px; }
.answers { display:grid; gap:12px; margin:0; }
.answers > div { display:grid; grid-template-columns:13em 1fr; gap:4px 16px; }
.answers dt { font-weight:600; } .answers dd { margin:0; overflow-wrap:anywhere; }
.answers dd b { margin-right:.4em; }
.unsure { color:var(--soft); }
nav { display:flex; flex-wrap:wrap; gap:4px 16px; margin-top:14px; font-size:.9rem; }
a { color:var(--score); }
:focus-visible { outline:2px solid var(--score); outline-offset:2px; }
select,button { max-width:100%; font:inherit; color:var(--ink); background:var(--track);
  border:1px solid var(--line); border-radius:6px; padding:3px 10px; }
button { cursor:pointer; }
.interval { display:block; font-size:.78rem; color:var(--soft); }
.yes { color:var(--good); font-weight:600; } .no { color:var(--bad); font-weight:600; }
.ours td { font-weight:600; } .ours .interval { font-weight:400; }
.chart { position:relative; padding-left:58px; margin-top:10px; }
.chart svg { display:block; width:100%; height:210px; background:var(--track);
  border-radius:6px; }
.chart .scale { position:absolute; left:0; top:0; height:210px; width:52px; }
.chart .scale span { position:absolute; right:0; transform:translateY(-50%); font-size:.8rem;
  color:var(--soft); font-variant-numeric:tabular-nums; }
.chart polyline,.chart .dot { fill:none; stroke-width:1.5; vector-effect:non-scaling-stroke; }
.chart .dot { stroke-width:3; stroke-linecap:round; }
.chart .range { stroke:none; opacity:.22; }
.grid { stroke:var(--line); stroke-width:1; vector-effect:non-scaling-stroke; }
.under { margin-left:58px; }
.k0 { stroke:var(--k0); } .k1 { stroke:var(--k1); } .k2 { stroke:var(--k2); }
.k3 { stroke:var(--k3); } .k4 { stroke:var(--k4); } .k5 { stroke:var(--k5); }
.range.k0 { fill:var(--k0); } .range.k1 { fill:var(--k1); } .range.k2 { fill:var(--k2); }
.range.k3 { fill:var(--k3); } .range.k4 { fill:var(--k4); } .range.k5 { fill:var(--k5); }
i.k0 { background:var(--k0); } i.k1 { background:var(--k1); } i.k2 { background:var(--k2); }
i.k3 { background:var(--k3); } i.k4 { background:var(--k4); } i.k5 { background:var(--k5); }
.unknown { fill:var(--soft); opacity:.45; }
.strip { grid-template-columns:118px 1fr 124px; } .strip > span { white-space:nowrap; }
.outcomes { display:block; width:100%; height:64px; background:var(--track);
  border-radius:6px; }
.frame { margin-top:16px; padding-top:14px; border-top:1px solid var(--line); }
.frame h3 { font-size:.98rem; margin:0 0 2px; font-variant-numeric:tabular-nums; }
.frame .trio { display:grid; grid-template-columns:minmax(0,var(--wide)) minmax(0,320px);
  gap:10px; align-items:start; margin-top:8px; }
.trio .side { display:grid; gap:10px; }
.trio button { display:block; width:100%; padding:0; border:0; background:none; border-radius:6px;
  text-align:left; }
.trio img,.montage img { display:block; max-width:100%; height:auto; border-radius:6px;
  background:#000; }
.trio .side img { width:100%; }
.montage { margin-top:10px; }
td.left,th.left { text-align:left; }
.wrap { overflow-wrap:anywhere; }
h3 { font-size:1rem; margin:16px 0 4px; }
@media (max-width:720px) {
  .answers > div { grid-template-columns:1fr; }
  .frame .trio { grid-template-columns:1fr; } .trio .side { grid-template-columns:1fr 1fr; }
  .strip { grid-template-columns:86px 1fr 58px; gap:6px; } .strip > span { white-space:normal; }
  .chart { padding-left:42px; } .chart .scale { width:38px; } .under { margin-left:42px; } }
"""

SCRIPT = """
// A chart for each entry of a list: the chosen one is shown.
document.querySelectorAll("select[data-charts]").forEach((select) => {
  const choose = () => document.querySelectorAll("#" + select.dataset.charts + " > [data-name]")
    .forEach((chart) => { chart.hidden = chart.dataset.name !== select.value; });
  select.addEventListener("change", choose);
  select.closest("p").hidden = false;
  choose();
});
// A small picture changes places with the large one.
document.querySelectorAll(".trio").forEach((trio) => {
  const large = trio.querySelector(".large");
  trio.querySelectorAll("button").forEach((button) => button.addEventListener("click", () => {
    const small = button.querySelector("img");
    for (const name of ["src", "alt"]) {
      const was = large.querySelector("img")[name];
      large.querySelector("img")[name] = small[name];
      small[name] = was;
    }
    const here = large.querySelector("figcaption"), there = button.querySelector(".caption");
    [here.textContent, there.textContent] = [there.textContent, here.textContent];
  }));
});
// The montage stands still until it is asked to move.
const montage = document.getElementById("montage"), play = document.getElementById("play");
if (montage && play) {
  const still = montage.src, moving = JSON.parse(document.getElementById("data").textContent)
    .montage;
  play.hidden = false;
  play.addEventListener("click", () => {
    const stands = montage.src === still;
    montage.src = stands ? moving : still;
    play.textContent = stands ? "Stop" : "Play";
  });
}
"""
