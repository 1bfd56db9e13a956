// Elements from data. Text is always text: nothing here, or anywhere in the page, turns a string into markup.

export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else if (name in element && typeof value !== "string") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const SHAPES = {
  play: "M7 4.5v15l12-7.5z",
  pause: "M7 5h4v14H7zM13.5 5h4v14h-4z",
  step: "M5 5l9 7-9 7zM15.5 5h3v14h-3z",
  back: "M19 5l-9 7 9 7zM5.5 5h3v14h-3z",
  again: "M12 5V1.5L7 6l5 4.500V7a5.500 5.500 0 1 1-5.300 7H4.600A7.500 7.500 0 1 0 12 5z",
};

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", SHAPES[name]);
  svg.append(path);
  return svg;
}

// A group of buttons of which one is pressed.
export function choice(label, options, chosen, onchoose) {
  const buttons = options.map(([value, text, title, disabled]) =>
    h("button", { type: "button", "aria-pressed": String(value === chosen), title, disabled: Boolean(disabled),
      "data-value": value, onclick: () => onchoose(value) }, text));
  const group = h("div", { class: "choice", role: "group", "aria-label": label }, buttons);
  group.choose = (value) => {
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.value === value));
  };
  return group;
}

export function card(title, ...children) {
  return h("section", { class: "card", "aria-label": title }, h("h2", {}, title), ...children);
}

export function toast(text, kind = "note") {
  if ([...document.getElementById("toasts").children].some((box) => box.textContent === text)) return;
  const box = h("p", { class: `toast ${kind}` }, text);
  document.getElementById("toasts").append(box);
  setTimeout(() => box.remove(), kind === "trouble" ? 9000 : 5000);
}

export class Unanswered extends Error {}

export async function getJSON(path) {
  const answer = await fetch(path, { headers: { accept: "application/json" } }).catch(() => {
    throw new Unanswered("The studio does not answer.");
  });
  if (!answer.ok) throw new Error(await said(answer));
  return answer.json();
}

// Everything that changes something says so with a header that no other site's page can send.
export async function post(path, body) {
  const answer = await fetch(path, { method: "POST", headers: { "x-reverie": "1" }, body });
  if (!answer.ok) throw new Error(await said(answer));
  return answer;
}

async function said(answer) {
  try {
    return (await answer.json()).error || answer.statusText;
  } catch {
    return answer.status === 401 ? "This page is locked: open it with the link in the terminal." : answer.statusText;
  }
}

export function save(blob, name) {
  const link = h("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export function short(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e6) return value.toLocaleString("en");
  if (size >= 1e5 || (size < 1e-3 && size > 0)) return value.toExponential(1);
  return value.toLocaleString("en", { maximumSignificantDigits: 4 });
}
