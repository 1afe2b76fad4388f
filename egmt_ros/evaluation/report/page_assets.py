"""Style and script of the HTML page; plain strings, so that the page is one file."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light dark;
  --page:#f6f7f8; --card:#ffffff; --ink:#16191d; --soft:#59616b; --line:#dfe3e7; --track:#eceff2;
  --score:#2f6fd6; --present:#2f6fd626; --truth:#16191d; --good:#12805c; --bad:#c62f2f;
  --f-fused:#2a9d74; --f-unpaired:#8d97a3; --f-superseded:#e09f1f; --f-rejected:#d1453b;
  --f-lost:#8a3ffc; --f-other:#a79b8c; }
@media (prefers-color-scheme: dark) { :root {
  --page:#111417; --card:#1a1e23; --ink:#e8eaed; --soft:#a3abb5; --line:#2c323a; --track:#252b32;
  --score:#6ea4ff; --present:#6ea4ff30; --truth:#e8eaed; --good:#4cc79a; --bad:#ff7b72;
  --f-fused:#37b384; --f-unpaired:#7d8793; --f-superseded:#e8b04a; --f-rejected:#ef6a60;
  --f-lost:#ab7bff; --f-other:#8f857a; } }
* { box-sizing:border-box; }
body { margin:0; background:var(--page); color:var(--ink);
  font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif; }
main { max-width:1120px; margin:0 auto; padding:24px 20px 64px; }
h1 { font-size:1.6rem; line-height:1.2; margin:0 0 4px; }
h2 { font-size:1.1rem; margin:0 0 4px; }
p { margin:0 0 12px; } .soft { color:var(--soft); } .small { font-size:.86rem; }
section { background:var(--card); border:1px solid var(--line); border-radius:10px;
  padding:18px 20px 20px; margin-top:18px; }
header p { overflow-wrap:anywhere; }
.verdict { display:inline-block; font-weight:600; margin:8px 0 0; }
.good { color:var(--good); } .bad { color:var(--bad); }
.tiles { display:grid; grid-template-columns:repeat(auto-fit,minmax(170px,1fr)); gap:12px;
  margin-top:18px; }
.tile { background:var(--card); border:1px solid var(--line); border-radius:10px;
  padding:12px 16px; }
.tile b { display:block; font-size:1.35rem; line-height:1.25; font-weight:600; }
.views { display:grid; grid-template-columns:repeat(3,1fr); gap:10px; margin-top:10px; }
figure { margin:0; } figcaption { color:var(--soft); font-size:.86rem; margin-bottom:4px; }
.view { position:relative; background:#000; border-radius:6px; overflow:hidden; }
.view img { display:block; width:100%; height:auto; }
.view svg { position:absolute; inset:0; width:100%; height:100%; }
.view text { font-weight:600; paint-order:stroke; stroke:#000; }
.controls { display:flex; gap:12px; align-items:center; margin-top:12px; flex-wrap:wrap; }
.controls input[type=range] { flex:1 1 240px; min-width:0; accent-color:var(--score); }
.controls output { font-variant-numeric:tabular-nums; min-width:8.5em; }
.chips { display:flex; flex-wrap:wrap; gap:4px 16px; margin-top:8px; min-height:3.2em;
  align-content:flex-start; }
.chip i { display:inline-block; width:10px; height:10px; border-radius:2px; margin-right:6px;
  box-shadow:0 0 0 1px #0003; }
.chip span { color:var(--soft); font-variant-numeric:tabular-nums; margin-left:5px; }
.strips { position:relative; margin-top:8px; }
.strip { display:grid; grid-template-columns:118px 1fr 62px; gap:10px; align-items:center;
  min-height:38px; }
.strip > b { font-weight:500; overflow-wrap:anywhere; line-height:1.2; }
.strip > span { color:var(--soft); font-size:.82rem; text-align:right;
  font-variant-numeric:tabular-nums; }
.strip svg { display:block; width:100%; height:34px; }
.track { fill:var(--track); } .present { fill:var(--present); } .truth { fill:var(--truth); }
.score { fill:none; stroke:var(--score); stroke-width:1.4; vector-effect:non-scaling-stroke; }
.limit { stroke:var(--soft); stroke-width:1; stroke-dasharray:3 4;
  vector-effect:non-scaling-stroke; }
.cursor { position:absolute; top:0; bottom:0; width:1px; background:var(--bad);
  pointer-events:none; }
.axis { position:relative; height:20px; color:var(--soft); font-size:.8rem; }
.axis span { position:absolute; transform:translateX(-50%); font-variant-numeric:tabular-nums; }
.axis span:first-child { transform:none; }
.legend { display:flex; flex-wrap:wrap; gap:4px 18px; font-size:.86rem; color:var(--soft);
  margin:6px 0 4px; align-items:center; }
.legend i { display:inline-block; width:12px; height:12px; border-radius:2px; margin-right:6px;
  vertical-align:-1px; }
.scroll { overflow-x:auto; }
table { border-collapse:collapse; width:100%; font-variant-numeric:tabular-nums; }
th,td { text-align:right; padding:5px 10px; border-bottom:1px solid var(--line);
  white-space:nowrap; }
th { color:var(--soft); font-weight:500; font-size:.86rem; }
th:first-child,td:first-child { text-align:left; padding-left:0; }
td:first-child { white-space:normal; min-width:6.5em; }
td.text { text-align:left; white-space:normal; overflow-wrap:anywhere; }
.marks { min-width:660px; } .marks svg { display:block; width:100%; height:40px; }
.marks div { display:grid; grid-template-columns:66px 1fr; gap:8px; align-items:center;
  font-size:.8rem; color:var(--soft); margin-top:8px; }
.f-fused { fill:var(--f-fused); background:var(--f-fused); }
.f-unpaired { fill:var(--f-unpaired); background:var(--f-unpaired); }
.f-superseded { fill:var(--f-superseded); background:var(--f-superseded); }
.f-rejected { fill:var(--f-rejected); background:var(--f-rejected); }
.f-lost { fill:var(--f-lost); background:var(--f-lost); }
.f-other { fill:var(--f-other); background:var(--f-other); }
.pair { display:grid; grid-template-columns:1fr 1fr; gap:24px; margin-top:8px; }
.histogram { width:100%; height:auto; } .histogram text { fill:var(--soft); font-size:12px; }
.histogram .bar { fill:var(--score); } .histogram line { stroke:var(--line); }
.histogram .mark { stroke:var(--ink); stroke-dasharray:4 3; }
.histogram .strong { fill:var(--ink); }
details { margin-top:10px; } summary { cursor:pointer; color:var(--soft); }
@media (max-width:720px) {
  main { padding:16px 12px 48px; } section { padding:14px 14px 16px; }
  .views { grid-template-columns:1fr 1fr; } .views figure:last-child { grid-column:1 / -1;
    order:-1; }
  .pair { grid-template-columns:1fr; } table { font-size:.88rem; } th,td { padding:5px 6px; }
  .strip { grid-template-columns:86px 1fr 44px; gap:8px; font-size:.9rem; } }
"""

SCRIPT = """
const data = JSON.parse(document.getElementById("data").textContent);
const one = (id) => document.getElementById(id);
const colour = (name) => data.colours[name] || "#c8c8d2";
const slider = one("slider"), cursor = one("cursor");
function element(name, attributes, text) {
  const node = document.createElementNS("http:" + "//www.w3.org/2000/svg", name);
  for (const key in attributes) node.setAttribute(key, attributes[key]);
  if (text) node.textContent = text;
  return node;
}
function show(index) {
  const frame = data.frames[index];
  if (!frame) return;
  slider.value = index;
  for (const side of ["thermal", "visible", "fused"]) one(side).src = frame[side];
  one("when").textContent = frame.time.toFixed(2) + " s  (" + (index + 1) + " of "
    + data.frames.length + ")";
  const chips = one("chips"), regions = one("regions");
  chips.textContent = frame.labels.length ? "" : "no entity present";
  for (const label of frame.labels) {
    const chip = document.createElement("div"), dot = document.createElement("i");
    const score = document.createElement("span");
    chip.className = "chip";
    dot.style.background = colour(label.name);
    score.textContent = label.score.toFixed(2);
    chip.append(dot, label.name, score);
    chips.append(chip);
  }
  regions.setAttribute("viewBox", "0 0 " + frame.width + " " + frame.height);
  regions.textContent = "";
  regions.style.display = one("overlay").checked ? "" : "none";
  const unit = frame.width / 100, taken = [];
  for (const label of frame.labels) {
    if (!label.region) continue;
    const [x, y, w, h] = label.region, c = colour(label.name);
    regions.append(element("rect", {x: x, y: y, width: w, height: h, fill: "none", stroke: c,
      "stroke-width": unit / 2.5, "stroke-dasharray": 3 * unit + " " + 2 * unit}));
    // The name above its region, higher up where it would cover another one.
    const wide = label.name.length * 2.6 * unit;
    const left = Math.min(x + unit, frame.width - wide - unit);
    const covers = (b) => taken.some(([l, other, w]) => left < l + w && l < left + wide
      && Math.abs(b - other) < 4.4 * unit);
    let base = y - unit;
    while (base > 4 * unit && covers(base)) base -= unit;
    if (base <= 4 * unit) { base = y + 4.5 * unit; while (covers(base)) base += unit; }
    taken.push([left, base, wide]);
    regions.append(element("text", {x: left, y: base, fill: c, "font-size": 4 * unit,
      "stroke-width": unit / 2}, label.name));
  }
  place(frame.time);
}
function place(time) {
  const strip = document.querySelector(".strip svg");
  if (!strip || !cursor) return;
  const box = strip.getBoundingClientRect(), outer = cursor.parentNode.getBoundingClientRect();
  cursor.style.left = (box.left - outer.left + box.width * time / data.duration) + "px";
}
function nearest(time) {
  let best = 0;
  data.frames.forEach((frame, index) => {
    if (Math.abs(frame.time - time) < Math.abs(data.frames[best].time - time)) best = index;
  });
  return best;
}
if (slider) {
  let timer = null;
  slider.addEventListener("input", () => show(Number(slider.value)));
  one("overlay").addEventListener("change", () => show(Number(slider.value)));
  one("play").addEventListener("click", () => {
    if (timer) { clearInterval(timer); timer = null; one("play").textContent = "Play"; return; }
    one("play").textContent = "Pause";
    timer = setInterval(() => show((Number(slider.value) + 1) % data.frames.length), 400);
  });
  document.querySelectorAll(".strip svg").forEach((strip) =>
    strip.addEventListener("click", (event) => {
      const box = strip.getBoundingClientRect();
      show(nearest((event.clientX - box.left) / box.width * data.duration));
    }));
  window.addEventListener("resize", () => place(data.frames[slider.value].time));
  show(Math.floor(data.frames.length / 2));
}
document.querySelectorAll(".marks").forEach((marks) => {
  const tell = (event) => {
    const title = event.target.querySelector && event.target.querySelector("title");
    if (event.target.tagName === "rect" && title) one("told").textContent = title.textContent;
  };
  marks.addEventListener("pointerover", tell);
  marks.addEventListener("click", tell);
});
"""
