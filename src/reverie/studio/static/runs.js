// Looking at runs: the list, one run's curves, films, episodes and settings, several beside each other.
import { curves, tone } from "/static/charts.js";
import { card, choice, getJSON, h, short } from "/static/dom.js";
import { dreams } from "/static/dreams.js";
import { Page } from "/static/page.js";

const FIRST = ["episode/return", "evaluation/mean", "dreamed/mean", "loss", "search/mean"];

export function list(main) {
  const chosen = new Set();
  const body = h("tbody");
  const button = h("a", { class: "button", hidden: true }, "Compare");
  const empty = h("p", { class: "hint", hidden: true }, "No run here yet. Begin one: reverie train dreamer3 CartPole-v1");
  const choose = (id, on) => {
    on ? chosen.add(id) : chosen.delete(id);
    button.hidden = chosen.size < 2;
    button.textContent = `Compare ${chosen.size} runs`;
    button.setAttribute("href", `#/compare/${[...chosen].join(",")}`);
  };
  main.replaceChildren(h("div", { class: "hero" }, h("h1", {}, "Walk around in a dream"),
    h("p", {}, "Every run here has learned a world. Play what it dreams, beside reality, and see where the two part.")),
    h("div", { class: "buttons end" }, button), h("div", { class: "scroll" },
      h("table", { class: "runs" }, h("thead", {}, h("tr", {}, ["", "run", "method", "world", "steps", "score", "state", ""].map((name) =>
        h("th", { scope: "col", class: name === "steps" || name === "score" ? "right" : "" }, name || h("span", { class: "unseen" }, "choose"))))), body)), empty);
  return new Page(async () => {
    const entries = await getJSON("/api/runs");
    empty.hidden = entries.length > 0;
    const focused = document.activeElement?.id;
    body.replaceChildren(...entries.map((it) => h("tr", {},
      h("td", {}, h("input", { type: "checkbox", id: `choose-${it.id}`, checked: chosen.has(it.id), "aria-label": `Compare ${it.run}`,
        onchange: (event) => choose(it.id, event.target.checked) })),
      h("td", {}, h("a", { href: `#/run/${it.id}`, id: `run-${it.id}` }, it.run)),
      h("td", {}, [it.method, it.size].filter(Boolean).join(" ")), h("td", {}, it.environment || ""),
      h("td", { class: "right" }, short(it.steps)), h("td", { class: "right" }, short(it.score)),
      h("td", {}, h("span", { class: `state ${it.state}` }, it.state)),
      h("td", {}, mayPlay(it)
        && h("a", { class: "button", href: `#/play/${it.id}`, id: `play-${it.id}`, "aria-label": `Play ${it.run}` }, "Play")))));
    if (focused) document.getElementById(focused)?.focus();
  });
}

// What was only played has learned nothing, and what has saved nothing has no dream yet.
const mayPlay = (it) => Boolean(it.method && it.method !== "played" && it.keeps);

export function nothing(main, text) {
  main.replaceChildren(h("div", { class: "loading", role: "alert" }, h("p", {}, text), h("p", {}, h("a", { href: "#/" }, "All runs"))));
}

export function run(main, id) {
  const title = h("h1", {}, "…");
  const state = h("span", { class: "state" });
  const panel = h("div", { class: "panel" });
  const views = tabbed(panel, [["curves", "Curves", () => curvesOf(panel, [id])], ["dreams", "Dreams", () => dreams(panel, [id])],
    ["media", "Films", () => media(panel, id)], ["episodes", "Episodes", () => episodes(panel, id)],
    ["settings", "Settings", () => settings(panel, [id])]]);
  const play = h("a", { class: "button", href: `#/play/${id}`, hidden: true }, "Play its dream");
  main.replaceChildren(h("div", { class: "head" }, title, state, play), views.tabs, panel);
  const page = new Page(async () => {
    const about = (await getJSON("/api/runs")).find((it) => it.id === id);
    if (!about) return nothing(main, "There is no such run here; it may have been moved.");
    play.hidden = !mayPlay(about);
    title.textContent = about.run;
    state.textContent = about.state;
    state.className = `state ${about.state}`;
  });
  return { redraw: views.redraw, close: () => (page.close(), views.close()) };
}

export function compare(main, ids) {
  const panel = h("div", { class: "panel" });
  getJSON("/api/runs").then((runs) => {
    if (ids.some((id) => !runs.some((it) => it.id === id))) nothing(main, "Not all of these runs are here; one may have been moved.");
  });
  const views = tabbed(panel, [["curves", "Curves", () => curvesOf(panel, ids)],
    ["dreams", "Dreams at equal steps", () => dreams(panel, ids)], ["settings", "Settings", () => settings(panel, ids)]]);
  main.replaceChildren(h("div", { class: "head" }, h("h1", {}, "Side by side")), views.tabs, panel);
  return views;
}

// One of several views in a panel, the first to begin with.
function tabbed(panel, views) {
  let inner = null;
  const show = (what) => {
    inner?.close();
    tabs.choose(what);
    panel.replaceChildren(h("p", { class: "hint" }, "Reading …"));
    inner = views.find(([name]) => name === what)[2]();
  };
  const tabs = choice("What to look at", views.map(([name, text]) => [name, text]), views[0][0], show);
  show(views[0][0]);
  return { tabs, redraw: () => inner.redraw(), close: () => inner.close() };
}

function curvesOf(panel, ids) {
  const canvases = new Map();
  const legend = h("p", { class: "legend" });
  const grid = h("div", { class: "grid" });
  let found = [];
  const draw = () => {
    for (const [name, canvas] of canvases) curves(canvas, found.map((one) => own(one.series, name) || { x: [], y: [] }));
  };
  const page = new Page(async () => {
    found = await Promise.all(ids.map((id) => getJSON(`/api/runs/${id}/metrics`)));
    const names = [...new Set(found.flatMap((one) => Object.keys(one.series)))].filter((name) => name !== "seconds");
    names.sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
    if (names.some((name) => !canvases.has(name)) || !canvases.size) {
      for (const name of names) if (!canvases.has(name))
        canvases.set(name, h("canvas", { role: "img", "aria-label": `${name} over steps` }));
      grid.replaceChildren(...names.map((name) => h("figure", { class: "curve" }, h("figcaption", {}, name), canvases.get(name))));
      panel.replaceChildren(legend, grid, ...(names.length ? [] : [h("p", { class: "hint" }, "Nothing was logged yet.")]));
    }
    legend.replaceChildren(...(ids.length > 1 ? found.map((one, index) => h("span", { class: tone(index).slice(2) }, one.run)) : []));
    draw();
  });
  page.redraw = draw;
  addEventListener("resize", draw);
  const close = page.close.bind(page);
  page.close = () => (removeEventListener("resize", draw), close());
  return page;
}

const own = (object, name) => (Object.hasOwn(object, name) ? object[name] : undefined); // a name may be `constructor`
const rank = (name) => (FIRST.includes(name) ? FIRST.indexOf(name) : FIRST.length);

function media(panel, id) {
  return new Page(async (page) => {
    const names = await getJSON(`/api/runs/${id}/media`);
    if (page.names === String(names)) return;
    page.names = String(names);
    const shown = names.map((name, number) => [name, `/api/runs/${id}/media/${number}`]);
    const alone = shown.filter(([name]) => !name.endsWith(".mp4") || !names.includes(name.replace(/mp4$/, "webp")));
    panel.replaceChildren(...(alone.length ? alone.map(([name, source]) =>
      h("figure", { class: "film" }, h("figcaption", {}, name), name.endsWith(".mp4")
        ? h("video", { src: source, controls: true, loop: true, muted: true, "aria-label": `${name} of this run` })
        : h("img", { src: source, alt: `${name} of this run`, loading: "lazy" })))
      : [h("p", { class: "hint" }, "No pictures yet: reverie film draws them.")]));
  }, 8000);
}

function settings(panel, ids) {
  return new Page(async (page) => {
    if (page.done) return;
    const found = await Promise.all(ids.map((id) => getJSON(`/api/runs/${id}/config`)));
    const runs = new Map((await getJSON("/api/runs")).map((it) => [it.id, it.run]));
    page.done = true;
    const names = [...new Set(found.flatMap((one) => Object.keys(one)))];
    const said = (one, name) => (Object.hasOwn(one, name) ? JSON.stringify(one[name]) : "–");
    const differs = (name) => new Set(found.map((one) => said(one, name))).size > 1;
    names.sort((a, b) => Number(differs(b)) - Number(differs(a)));
    panel.replaceChildren(h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Settings" }, h("table", { class: "settings" },
      ids.length > 1 && h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "setting"), ids.map((id) => h("th", { scope: "col" }, runs.get(id) || "")))), h("tbody", {}, names.map((name) =>
      h("tr", { class: differs(name) ? "differs" : "" }, h("th", { scope: "row" }, name), found.map((one) => h("td", {}, said(one, name)))))))));
  }, 60000);
}

function episodes(panel, id) {
  const viewer = h("div", { class: "viewer" });
  const box = h("div", { class: "episodes" });
  panel.replaceChildren(viewer, box);
  return new Page(async (page) => {
    const { count, episodes: found } = await getJSON(`/api/runs/${id}/episodes`);
    if (page.count === count) return;
    page.count = count;
    const some = found.length < count ? `; the newest ${found.length}:` : ":";
    const open = (it) => {
      page.openAt = it.number;
      for (const chip of box.querySelectorAll(".chips button")) chip.setAttribute("aria-pressed", String(chip.dataset.number === String(it.number)));
      return watch(viewer, id, it);
    };
    box.replaceChildren(h("p", { class: "hint" }, count ? `${count.toLocaleString("en")} episodes are kept${some} number, score, steps.`
      : "This run keeps no episodes."), h("div", { class: "chips" }, found.map((it) => h("button", { type: "button", title: it.ended,
      "data-number": String(it.number), "aria-pressed": String(page.openAt === it.number),
      onclick: () => open(it) }, `${it.number}: ${short(Number(it.score.toFixed(2)))} in ${it.length}`))));
    if (found.length && !viewer.childElementCount) open(found[0]);
  }, 10000);
}

async function watch(viewer, id, { number, ended }) {
  const path = `/api/runs/${id}/episodes/${number}`;
  const about = await getJSON(path);
  const canvas = h("canvas", { role: "img", "aria-label": `Episode ${number}` });
  const chart = h("canvas", { class: "strip", "aria-hidden": "true" });
  const said = h("output", {});
  const slider = h("input", { type: "range", min: 0, max: about.rows - 1, value: 0, "aria-label": `Step of episode ${number}` });
  const vector = Object.values(about.vectors)[0];
  const show = async () => {
    const row = Number(slider.value);
    said.textContent = `episode ${number}, ${ended} · step ${row} of ${about.rows - 1} · reward ${short(about.rewards[row])} · action ${about.actions[row]}`;
    if (about.pictures) await paint(canvas, `${path}/rows/${row}`);
    const lines = about.pictures || !vector ? [about.rewards] : vector[0].map((_, column) => vector.map((values) => values[column]));
    curves(chart, lines.slice(0, 6).map((y) => ({ x: y.map((_, index) => index), y })), row);
  };
  const names = about.pictures || !vector ? ["reward"] : vector[0].slice(0, 6).map((_, index) => `number ${index + 1}`);
  const legend = h("p", { class: "legend" }, names.map((name, index) => h("span", { class: tone(index).slice(2) }, name)));
  slider.oninput = show;
  viewer.replaceChildren(card(`Episode ${number}`, about.pictures && canvas, chart, slider, legend, said));
  await show();
}

async function paint(canvas, path) {
  const answer = await fetch(path);
  if (!answer.ok) return;
  const [width, height] = [Number(answer.headers.get("x-width")), Number(answer.headers.get("x-height"))];
  Object.assign(canvas, { width, height });
  const brush = canvas.getContext("2d");
  if (answer.headers.get("content-type") === "image/jpeg") {
    brush.drawImage(await createImageBitmap(await answer.blob()), 0, 0);
    return;
  }
  const bytes = new Uint8Array(await answer.arrayBuffer());
  const image = brush.createImageData(width, height);
  for (let from = 0, to = 0; from < bytes.length; from += 3, to += 4) {
    image.data.set(bytes.subarray(from, from + 3), to);
    image.data[to + 3] = 255;
  }
  brush.putImageData(image, 0, 0);
}
