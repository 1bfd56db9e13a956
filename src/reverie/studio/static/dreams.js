// Dreams beside each other: of one run as it learned, or of several runs at equal steps. One film at a time is made.
import { getJSON, h, short } from "/static/dom.js";
import { Page } from "/static/page.js";

const MOST = 6;
const NEWEST = "newest";

// Steps that runs have in common: 1, 2, 5, 10, 20, ... thousand, whatever a turn of theirs adds to it.
const common = (step) => {
  const tens = 10 ** Math.floor(Math.log10(Math.max(step, 1)));
  return [5, 2, 1].find((times) => times * tens <= step) * tens;
};

// Up to four of many, the first and the last among them.
const spread = (steps) => [...new Set([0, 1, 2, 3].map((place) => steps[Math.round((place * (steps.length - 1)) / 3)]))];

export function dreams(panel, ids) {
  const hint = h("p", { class: "hint", role: "status" }, "Reading …");
  const steps = h("div", { class: "chips", role: "group", "aria-label": "As of which steps" });
  const episode = h("select", { "aria-label": "The episode that is watched", onchange: () => show() });
  const picture = h("img", { alt: "Reality, and the dreams beside it", hidden: true });
  const names = h("p", { class: "hint" });
  panel.replaceChildren(h("p", { class: "hint" }, ids.length > 1
    ? "All watch 16 steps of the same episode, then dream on with its actions, as of the same step; newest is each one's own."
    : "It watches 16 steps of an episode, then dreams on with its actions, as of the steps that are chosen (up to six)."),
  names, steps, episode, h("figure", { class: "film" }, picture, hint));
  let found = [];
  let chosen = new Set();
  let asked = "";

  const shown = () => {
    if (ids.length === 1) return [...chosen].sort((a, b) => a - b).map((step) => `${ids[0]}@${step}`);
    const [at] = chosen;
    return found.map((one, index) => `${ids[index]}@${at === NEWEST ? one.steps.at(-1) : one.steps.find((step) => common(step) === at)}`);
  };

  const show = async () => {
    const what = shown();
    const path = `/api/dreams/${ids[0]}/${episode.value}/${what.join(",")}`;
    if (!what.length || path === asked) return;
    asked = path;
    picture.hidden = true;
    hint.textContent = "Dreaming … the first time takes some seconds.";
    const answer = await fetch(path);
    const said = answer.ok ? "" : ((await answer.json().catch(() => ({}))).error || answer.statusText);
    const film = answer.ok && (await answer.blob());
    if (asked !== path) return;
    hint.textContent = said;
    picture.hidden = !film;
    URL.revokeObjectURL(picture.src);
    if (film) picture.src = URL.createObjectURL(film);
  };

  const choose = (step) => {
    if (ids.length > 1) chosen = new Set([step]);
    else if (chosen.has(step)) chosen.delete(step);
    else if (chosen.size < MOST) chosen.add(step);
    offer();
    show();
  };

  const offer = () => {
    const focused = document.activeElement?.id;
    steps.replaceChildren(...options().map((step) => h("button", { type: "button", id: `step-${step}`,
      "aria-pressed": String(chosen.has(step)), onclick: () => choose(step) }, step === NEWEST ? NEWEST : short(step))));
    if (focused) document.getElementById(focused)?.focus();
  };

  const options = () => {
    if (ids.length === 1) return found[0].steps;
    const reached = found.map((one) => new Set(one.steps.map(common)));
    return [...reached[0]].filter((step) => reached.every((one) => one.has(step))).concat(NEWEST);
  };

  return new Page(async (page) => {
    found = await Promise.all(ids.slice(0, MOST).map((id) => getJSON(`/api/runs/${id}/snapshots`)));
    const known = JSON.stringify(found);
    if (page.known === known) return;
    const { episodes } = await getJSON(`/api/runs/${ids[0]}/episodes`);
    const worlds = new Set(found.map((one) => one.world));
    if (worlds.size > 1 || !episodes.length || found.some((one) => !one.steps.length)) {
      hint.textContent = worlds.size > 1 ? "These runs live in different worlds, so their dreams cannot be compared."
        : !episodes.length ? `${found[0].run} keeps no episode that could be watched.`
          : "Not all of them have saved what they had learned at such steps (weights and vmc do not).";
      return;
    }
    page.known = known;
    names.textContent = ids.length > 1 ? found.map((one, index) => `${"ABCDEF"[index]}: ${one.run}`).join(" · ") : "";
    if (!episode.childElementCount) {
      const longest = episodes.slice(0, 50).reduce((one, other) => (other.length > one.length ? other : one));
      episode.replaceChildren(...episodes.slice(0, 50).map((it) => h("option", { value: it.number, selected: it === longest },
        `episode ${it.number} of ${found[0].run}: ${short(Number(it.score.toFixed(2)))} in ${it.length} steps`)));
    }
    if (!chosen.size) chosen = new Set(ids.length > 1 ? options().slice(-2, -1).concat(options()).slice(0, 1) : spread(found[0].steps));
    offer();
    show();
  }, 10000);
}
