// The page that ranking_page() fills in. It shows thumbnails as windows into the one picture a query has, so
// that labels are text and follow the reader's light or dark setting.
#pragma once

namespace tyto::apps {

inline constexpr const char* kRankingPage = R"html(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Ranking</title>
<style>
:root {
  color-scheme: light dark;
  --paper: #f6f5f2; --card: #ffffff; --ink: #1d2126; --soft: #6b727a; --line: #e3e1dc; --accent: #2a62b8;
  --good: #1a8a4a; --bad: #c8383a; --unknown: #a9aeb4; --tile: #ecebe7;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #131518; --card: #1c1f23; --ink: #e9eaec; --soft: #979da5; --line: #2c3036; --accent: #7fb0ff;
    --good: #3fbf74; --bad: #f0686a; --unknown: #5d646c; --tile: #25292e;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.45 system-ui, "Segoe UI", Roboto, sans-serif; }
main, .bar > div { max-width: 1440px; margin: 0 auto; padding: 0 28px; }
h1 { font-size: 30px; font-weight: 650; letter-spacing: -.02em; margin: 36px 0 4px; }
.facts { color: var(--soft); margin: 0 0 18px; }
.facts b { color: var(--ink); font-weight: 600; font-variant-numeric: tabular-nums; }
.bar { position: sticky; top: 0; z-index: 1; background: color-mix(in srgb, var(--paper) 88%, transparent); backdrop-filter: blur(10px); border-bottom: 1px solid var(--line); }
.bar > div { display: flex; flex-wrap: wrap; gap: 10px 14px; align-items: center; padding-top: 11px; padding-bottom: 11px; }
input, select { font: inherit; color: inherit; background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 6px 11px; }
input { flex: 1 1 240px; max-width: 420px; }
input:focus-visible, select:focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
.shown { margin-left: auto; color: var(--soft); font-variant-numeric: tabular-nums; }
article { background: var(--card); border: 1px solid var(--line); border-radius: 14px; margin: 18px 0; padding: 16px 18px 14px; }
article header { display: flex; flex-wrap: wrap; gap: 4px 14px; align-items: baseline; margin-bottom: 12px; }
h2 { font-size: 16px; font-weight: 600; margin: 0; overflow-wrap: anywhere; }
.label { color: var(--soft); font-size: 13px; }
.verdict { margin-left: auto; font-size: 13px; color: var(--soft); }
.verdict.good { color: var(--good); } .verdict.bad { color: var(--bad); }
.row { display: flex; gap: 18px; align-items: flex-start; }
ol { list-style: none; display: flex; flex-wrap: wrap; gap: 12px 10px; margin: 0; padding: 0 0 4px 18px; border-left: 1px solid var(--line); }
.query { flex: none; }
@media (max-width: 620px) { .row { flex-direction: column; } ol { border: 0; padding-left: 0; } }
figure { margin: 0; }
.window { position: relative; isolation: isolate; border-radius: 7px; overflow: hidden; background: var(--tile); }
.window::after { content: ""; position: absolute; inset: 0; border-radius: 7px; box-shadow: inset 0 0 0 3px var(--edge, var(--unknown)); }
.window img { display: block; object-fit: none; color: transparent; }
.query .window::after { box-shadow: inset 0 0 0 1px var(--line); }
.good { --edge: var(--good); } .bad { --edge: var(--bad); }
figcaption { display: flex; justify-content: space-between; gap: 4px; margin-top: 6px; font-size: 12px; font-variant-numeric: tabular-nums; color: var(--soft); }
figcaption b { font-weight: 650; color: var(--ink); }
.good figcaption b { color: var(--good); } .bad figcaption b { color: var(--bad); }
.name { font-size: 12px; color: var(--soft); overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.text { max-width: 220px; overflow-wrap: anywhere; }
.empty { color: var(--soft); padding: 60px 0; text-align: center; }
footer { color: var(--soft); font-size: 13px; padding: 18px 0 40px; }
</style>
</head>
<body>
<main>
<h1>Ranking</h1>
<p class="facts" id="facts"></p>
</main>
<div class="bar"><div>
<input id="filter" type="search" placeholder="Filter by path" aria-label="Filter by path" autocomplete="off">
<select id="order" aria-label="Order"></select>
<span class="shown" id="shown" aria-live="polite"></span>
</div></div>
<main>
<section id="list"></section>
<div id="end"></div>
<footer id="footer"></footer>
<noscript>This page draws itself with JavaScript; the rankings are in ranking.jsonl and the pictures in pictures/ beside it.</noscript>
</main>
<script type="application/json" id="data">{{DATA}}</script>
<script>
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const count = n => n.toLocaleString("en");
const plural = (n, one, many) => `${count(n)} ${n === 1 ? one : many}`;
const base = path => path.slice(path.lastIndexOf("/") + 1);
const make = (tag, name, text) => {
  const e = document.createElement(tag);
  if (name) e.className = name;
  if (text !== undefined) e.textContent = text;
  return e;
};
const firstMatch = q => q.images.findIndex(i => i.correct === true);
const judged = q => q.images.some(i => i.correct !== null);
const topScore = q => q.images.length ? q.images[0].score ?? -Infinity : -Infinity;
data.queries.forEach((q, i) => { q.number = i; q.key = q.path.toLowerCase(); q.first = firstMatch(q); q.judged = judged(q); });

const orders = {
  "By path": (a, b) => a.number - b.number,
  "Highest score first": (a, b) => topScore(b) - topScore(a) || a.number - b.number,
  "Lowest score first": (a, b) => topScore(a) - topScore(b) || a.number - b.number,
};
if (data.queries.some(q => q.judged)) {
  const rank = q => q.first < 0 ? Infinity : q.first;
  const compare = (x, y) => x === y ? 0 : x < y ? -1 : 1;
  orders["Worst first"] = (a, b) => compare(rank(b), rank(a)) || a.number - b.number;
  orders["Best first"] = (a, b) => compare(rank(a), rank(b)) || a.number - b.number;
}
const order = document.getElementById("order");
for (const name of Object.keys(orders)) order.append(new Option(name, name));

const facts = document.getElementById("facts");
const fact = (n, one, many) => [make("b", "", count(n)), ` ${n === 1 ? one : many}`];
facts.append(...fact(data.queries.length, "query", "queries"), " against ", ...fact(data.gallery, "image", "images"));
const known = data.queries.filter(q => q.judged);
if (known.length) facts.append(", the first image right for ", ...fact(known.filter(q => q.first === 0).length, `of ${count(known.length)}`, `of ${count(known.length)}`));
document.getElementById("footer").textContent = `${data.network} (model ${data.model}), names read as ${data.dataset}; ${data.rule}. Scores are inner products of features.`;
document.title = `Ranking: ${plural(data.queries.length, "query", "queries")}`;

function thumbnail(q, box, path) {
  if (!q.picture) return make("div", "text", base(path));
  const [x, y, width, height] = box;
  const frame = make("div", "window");
  frame.style.width = `${width}px`;
  frame.style.height = `${height}px`;
  const img = make("img");
  img.loading = "lazy";
  img.alt = path;
  img.width = width;
  img.height = height;
  img.style.objectPosition = `${-x}px ${-y}px`;
  img.src = q.picture;
  frame.append(img);
  return frame;
}

function cell(q, image, rank) {
  const li = make("li", image.correct === true ? "good" : image.correct === false ? "bad" : "");
  const label = image.id >= 0 ? `, identity ${image.id}` : "";
  const camera = image.camera >= 0 ? `, camera ${image.camera}` : "";
  li.title = `${image.path}${label}${camera}`;
  const figure = make("figure");
  figure.append(thumbnail(q, image.box, image.path));
  const caption = make("figcaption");
  const mark = image.correct === true ? " \u2713" : image.correct === false ? " \u2717" : "";
  caption.append(make("b", "", `${rank}${mark}`), make("span", "", image.score === null ? "NaN" : image.score.toFixed(3)));
  figure.append(caption);
  const name = make("div", "name", base(image.path));
  if (q.picture) name.style.maxWidth = `${image.box[2]}px`;
  figure.append(name);
  li.append(figure);
  return li;
}

function card(q) {
  const article = make("article");
  const header = make("header");
  header.append(make("h2", "", q.path));
  const labels = [q.id >= 0 ? `identity ${q.id}` : "", q.camera >= 0 ? `camera ${q.camera}` : ""].filter(Boolean);
  header.append(make("span", "label", labels.join(", ")));
  if (q.judged) {
    const text = q.first < 0 ? `no match in the first ${q.images.length}` : `first match at rank ${q.first + 1}`;
    header.append(make("span", `verdict ${q.first === 0 ? "good" : q.first < 0 ? "bad" : ""}`, text));
  }
  article.append(header);
  const row = make("div", "row"), list = make("ol");
  const figure = make("figure", "query");
  figure.title = q.path;
  figure.append(thumbnail(q, q.box, q.path));
  const caption = make("figcaption");
  caption.append(make("b", "", "query"));
  figure.append(caption);
  q.images.forEach((image, i) => list.append(cell(q, image, i + 1)));
  if (!q.images.length) list.append(make("li", "label", "no image is left to rank"));
  row.append(figure, list);
  article.append(row);
  return article;
}

// Cards are made a few at a time as the reader scrolls, so that thousands of queries open at once.
const kStep = 20;
const list = document.getElementById("list"), end = document.getElementById("end"), filter = document.getElementById("filter");
let shown = [], made = 0;
function more() {
  list.append(...shown.slice(made, made + kStep).map(card));
  made = Math.min(made + kStep, shown.length);
}
function fill() {
  while (made < shown.length && end.getBoundingClientRect().top < innerHeight + 800) more();
}
function restart() {
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  shown = data.queries.filter(q => words.every(w => q.key.includes(w))).sort(orders[order.value]);
  made = 0;
  list.replaceChildren();
  document.getElementById("shown").textContent = words.length ? `${count(shown.length)} of ${count(data.queries.length)}` : plural(shown.length, "query", "queries");
  if (!shown.length) list.append(make("p", "empty", data.queries.length ? "No query has this in its path." : "There is no query."));
  fill();
}
filter.addEventListener("input", restart);
order.addEventListener("change", restart);
addEventListener("scroll", fill, { passive: true });
addEventListener("resize", fill);
restart();
</script>
</body>
</html>
)html";

}  // namespace tyto::apps
