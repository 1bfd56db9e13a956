// What a person holds: keys, fingers on the pad, a gamepad. All end in the same list of controls, the latest last.
import { choice, h, toast } from "/static/dom.js";

const NAMES = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Space: "space" };
const SIGNS = { Period: ".", Comma: "," };
const PAD = { 12: "ArrowUp", 13: "ArrowDown", 14: "ArrowLeft", 15: "ArrowRight", 0: "Space", 1: "KeyZ", 2: "KeyX" };

export const SHORTCUTS = { KeyP: "play, pause", Period: "one step", Comma: "one step back", KeyR: "begin again", KeyV: "next view",
  KeyE: "eyes open or closed", KeyB: "branches" };

export const keyName = (code) => NAMES[code] || SIGNS[code] || code.replace(/^(Key|Digit)/, "").toLowerCase();

export class Hands {
  constructor(world, controls, onchange) {
    this.world = world;
    this.controls = controls;
    this.onchange = onchange;
    this.held = new Map(); // control -> what holds it
    this.learning = null;
    this.keys = this.remembered();
    this.element = h("div", { class: "pad", role: "group", "aria-label": "Actions" }, controls.map((it) => this.button(it)));
    this.down = (event) => this.key(event, true);
    this.up = (event) => this.key(event, false);
    this.drop = () => this.release();
    addEventListener("keydown", this.down);
    addEventListener("keyup", this.up);
    addEventListener("blur", this.drop);
    this.polling = true;
    this.poll();
  }

  close() {
    this.polling = false;
    removeEventListener("keydown", this.down);
    removeEventListener("keyup", this.up);
    removeEventListener("blur", this.drop);
  }

  button(control) {
    const button = h("button", { type: "button", "data-control": control.id },
      h("span", {}, control.name), h("kbd", {}));
    const hold = (event) => {
      if (this.learning !== null) return;
      event.preventDefault();
      button.setPointerCapture(event.pointerId);
      this.hold(control.id, "finger", true);
    };
    const let_go = () => this.hold(control.id, "finger", false);
    button.addEventListener("pointerdown", hold);
    button.addEventListener("pointerup", let_go);
    button.addEventListener("pointercancel", let_go);
    button.addEventListener("contextmenu", (event) => event.preventDefault());
    button.addEventListener("click", () => this.learning !== null && this.learn(control.id));
    button.addEventListener("keydown", (event) => {
      if (event.code === "Enter" && this.learning === null && !event.repeat) {
        this.hold(control.id, "finger", true);
        setTimeout(let_go, 120);
      }
    });
    control.button = button;
    this.label(control);
    return button;
  }

  label(control) {
    const codes = Object.keys(this.keys).filter((code) => this.keys[code] === control.id);
    control.button.querySelector("kbd").textContent = codes.map(keyName).join(" ") || "·";
  }

  remembered() {
    try {
      return JSON.parse(localStorage.getItem(`keys ${this.world}`)) || this.given();
    } catch {
      return this.given();
    }
  }

  given() {
    return Object.fromEntries(this.controls.flatMap((control) => control.keys.map((code) => [code, control.id])));
  }

  reset() {
    this.release();
    this.keys = this.given();
    localStorage.removeItem(`keys ${this.world}`);
    this.controls.forEach((control) => this.label(control));
  }

  // The next click on a control and the next key belong together.
  teach(on) {
    this.learning = on ? "" : null;
    this.element.classList.toggle("learning", on);
    for (const control of this.controls) control.button.classList.remove("asked");
    if (on) toast("Choose an action, then press its key; Delete takes its keys away. Done with the same button.");
  }

  learn(id) {
    this.learning = id;
    for (const control of this.controls) control.button.classList.toggle("asked", control.id === id);
  }

  key(event, down) {
    const own = event.target.closest?.("input, textarea, select");
    if (own || event.ctrlKey || event.metaKey || event.altKey) return;
    if (this.learning !== null) {
      if (!down || !this.learning || event.code === "Tab" || event.code === "Enter") return;
      event.preventDefault();
      if (event.code === "Delete" || event.code === "Backspace")
        this.keys = Object.fromEntries(Object.entries(this.keys).filter(([, id]) => id !== this.learning));
      else this.keys[event.code] = this.learning;
      if (event.code in SHORTCUTS) toast(`${keyName(event.code)} no longer means: ${SHORTCUTS[event.code]}.`);
      localStorage.setItem(`keys ${this.world}`, JSON.stringify(this.keys));
      this.controls.forEach((control) => this.label(control));
      return;
    }
    const id = this.keys[event.code];
    if (id === undefined) return;
    event.preventDefault();
    if (!event.repeat) this.hold(id, event.code, down);
  }

  owns(code) {
    return code in this.keys;
  }

  hold(id, by, down) {
    const holders = this.held.get(id) || new Set();
    const before = holders.size;
    down ? holders.add(by) : holders.delete(by);
    holders.size ? this.held.set(id, holders) : this.held.delete(id);
    if (Boolean(before) !== Boolean(holders.size)) this.tell();
  }

  release() {
    if (!this.held.size) return;
    this.held.clear();
    this.tell();
  }

  tell() {
    for (const control of this.controls) control.button.classList.toggle("held", this.held.has(control.id));
    this.onchange([...this.held.keys()]);
  }

  // Lights what is being done, whoever does it.
  doing(action) {
    for (const control of this.controls)
      control.button.classList.toggle("doing", control.element === 0 && control.value === action);
  }

  poll() {
    if (!this.polling) return;
    const on = new Set(); // by any of them; one that was pulled out holds nothing
    for (const pad of navigator.getGamepads?.() || []) {
      if (!pad) continue;
      for (const n of Object.keys(PAD)) if (pad.buttons[n]?.pressed) on.add(PAD[n]);
      if (pad.axes[0] < -0.4) on.add("ArrowLeft");
      if (pad.axes[0] > 0.4) on.add("ArrowRight");
      if (pad.axes[1] < -0.4) on.add("ArrowUp");
      if (pad.axes[1] > 0.4) on.add("ArrowDown");
    }
    for (const code of Object.values(PAD))
      if (this.keys[code] !== undefined) this.hold(this.keys[code], `pad ${code}`, on.has(code));
    requestAnimationFrame(() => this.poll());
  }
}

export const players = (about, chosen, onchoose) => choice("Who plays", [
  ["person", "You", "You play; nothing happens that you do not do"],
  ["both", "Both", "The agent plays, and you take over while you hold a key", !about.agent],
  ["agent", "Agent", "What was learned plays", !about.agent],
  ["planner", "Planner", "The best of 64 imagined plans", !about.planner],
  ["random", "Dice", "Actions by chance"],
], chosen, onchoose);
