// The player: the dream, reality beside it, the strip of what happened, the tree of branches, and all that steers.
import { bars, sparkline, strip } from "/static/charts.js";
import { card, choice, h, icon, post, save, short, toast } from "/static/dom.js";
import { Hands, SHORTCUTS, keyName, players } from "/static/hands.js";
import { Wire } from "/static/wire.js";

const NUMBERS = {
  reward: ["Reward", "--dream"], value: ["Value", "--blue"], continue: ["Goes on", "--reality"],
  entropy: ["Entropy of the agent", "--soft"], uncertainty: ["Uncertainty", "--warm"],
  pixel: ["Error of the picture", "--dream"], latent: ["Error of the latent state", "--warm"],
};
const HINTS = {
  reward: "What the model says this step paid", value: "The return that the critic expects from here",
  continue: "The probability that the world goes on", entropy: "How undecided the agent is, in nats",
  uncertainty: "Entropy of the model's guess, as a share of the largest",
  pixel: "Mean squared difference between dream and reality",
  latent: "How far the dream's state is from the one the model would have had it looked",
};
const RECENT = 240;
const LASTING = ["player", "view", "temperature", "speed", "horizon", "eyes"]; // said again to a studio that was started anew

export class Play {
  constructor(root, run, moment) {
    Object.assign(this, { root, run, asked: moment, settings: new Map(), line: [], at: 0, parted: null, seq: 0, sent: new Map(),
      latencies: [], stamps: [], view: "dream", who: "both", playing: true, panes: {} });
    root.replaceChildren(h("div", { class: "loading", role: "status" }, h("span", { class: "moon big" }),
      h("p", { id: "loading" }, "Opening …")));
    this.wire = new Wire(run, {
      words: (words) => this.words(words), frame: (frame, bytes) => this.frame(frame, bytes), state: (it) => this.state(it),
    });
    this.shortcuts = (event) => this.shortcut(event);
    addEventListener("keydown", this.shortcuts);
    root.onpointerup = ({ target }) => target.matches?.("input[type=range], input[type=checkbox]") && target.blur();
    this.hidden = () => document.hidden && this.playing && this.wire.say({ type: "play", on: false });
    document.addEventListener("visibilitychange", this.hidden);
    this.redraw = () => this.draw();
    addEventListener("resize", this.redraw);
    this.timer = setInterval(() => this.measure(), 500);
  }

  close() {
    this.wire.close();
    this.hands?.close();
    this.root.onpointerup = null;
    clearInterval(this.timer);
    removeEventListener("keydown", this.shortcuts);
    removeEventListener("resize", this.redraw);
    document.removeEventListener("visibilitychange", this.hidden);
  }

  say(type, more = {}) {
    if (LASTING.includes(type)) this.settings.set(type, more);
    this.wire.say({ type, ...more });
  }

  // ------------------------------------------------------------------------------------------- what the server says

  words(words) {
    const heard = {
      loading: () => (document.getElementById("loading") || {}).textContent !== undefined
        && (document.getElementById("loading").textContent = `Loading ${words.run} and compiling its dream …`),
      welcome: () => this.welcome(words),
      begun: () => this.begun(words),
      trouble: () => toast(words.text, "trouble"),
      over: () => this.isOver(words.text),
      paused: () => this.note(words.text, "paused"),
      parted: () => this.part(words),
      tree: () => this.drawTree(words),
      dials: () => this.drawDials(words.dials),
      ended: () => this.ended(words.text),
    }[words.type];
    if (heard) heard();
  }

  welcome({ about, resumed, play, role }) {
    if (this.about && !resumed) toast("The studio was started anew, so this is a new dream.");
    this.play = play;
    this.mayKeep = role === "owner"; // the server says no to others too
    if (!this.about) {
      this.about = about;
      this.build();
      if (this.asked) this.go(this.asked);
    } else {
      if (!resumed) for (const [type, more] of [...this.settings]) this.say(type, more);
      this.say("path");
    }
    document.getElementById("where").textContent = `${about.run} · ${about.world}`;
  }

  begun({ origin }) {
    this.parted = null;
    this.inWorld = origin === "world";
    this.note("");
    if (!this.inWorld && this.views) {
      this.chooseView("dream", false);
      this.horizon.value = "0";
      for (const type of ["view", "horizon", "eyes"]) this.settings.delete(type);
    }
    this.askTree();
  }

  isOver(text) {
    this.note(`${text} R begins again, P goes on regardless.`, "over");
    if (this.auto.checked) setTimeout(() => this.flags.over && this.restart(true), 1200);
  }

  part({ moment, steps }) {
    this.parted = moment;
    if (!this.partedNote) return;
    this.partedNote.textContent = moment === null || moment === undefined ? ""
      : `The dream stopped being useful after ${steps} steps.`;
  }

  ended(text) {
    this.wire.closed = true;
    this.root.replaceChildren(h("div", { class: "loading", role: "alert" }, h("h1", { class: "unseen" }, "This dream has ended"), h("p", {}, text),
      h("p", {}, h("a", { href: "#/" }, "All runs"))));
  }

  state(state) {
    const text = { connected: "", lost: "Connection lost; trying again …", ended: "Ended" }[state];
    document.getElementById("status").textContent = text;
    this.root.classList.toggle("lost", state === "lost");
  }

  async frame(frame, bytes) {
    if (!this.about) return;
    if (frame.whole) this.line = frame.rows;
    else for (const row of frame.rows) {
      if (this.line.at(-1)?.moment === row.moment) this.line.pop(); // it was turned further
      this.line.push(row);
    }
    const now = performance.now();
    this.at = frame.moment;
    for (const pane of frame.panes) await this.paint(pane);
    this.panes.reality.figure.classList.toggle("gone", !Number.isFinite(this.line.find((row) => row.moment === this.at)?.paid));
    this.stamps.push(now);
    this.micros = frame.micros;
    this.bytes = bytes;
    for (const [seq, begun] of this.sent) {
      if (seq > frame.input) break;
      this.latencies.push(performance.now() - begun);
      this.sent.delete(seq);
    }
    this.playing = !frame.paused;
    this.flags = frame;
    if (frame.whole && frame.paused) this.askTree(); // a step by hand may have begun a branch
    this.drawSoon();
  }

  async paint({ kind, codec, width, height, bytes }) {
    const pane = this.panes[kind];
    if (!pane) return;
    pane.figure.hidden = false;
    if (codec === "vector") {
      const numbers = new Float32Array(bytes.slice().buffer);
      const labels = Object.values(this.about.observation).flatMap((it) => (it.labels.length ? it.labels : []));
      bars(pane.canvas, numbers, labels, `--${kind}`);
      return;
    }
    if (pane.canvas.width !== width || pane.canvas.height !== height)
      Object.assign(pane.canvas, { width, height });
    pane.canvas.classList.toggle("sharp", codec === "rgb");
    const paint = pane.canvas.getContext("2d", { alpha: false });
    if (codec === "jpeg") {
      const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/jpeg" }));
      paint.drawImage(bitmap, 0, 0);
      bitmap.close();
      return;
    }
    const image = paint.createImageData(width, height);
    const pixels = image.data;
    for (let from = 0, to = 0; from < bytes.length; from += 3, to += 4) {
      pixels[to] = bytes[from];
      pixels[to + 1] = bytes[from + 1];
      pixels[to + 2] = bytes[from + 2];
      pixels[to + 3] = 255;
    }
    paint.putImageData(image, 0, 0);
  }

  // ------------------------------------------------------------------------------------------------------ the page

  build() {
    const { about } = this;
    this.who = about.agent ? "both" : "person";
    this.hands = new Hands(about.world, about.actions.controls, (held) => {
      this.seq += 1;
      if (this.playing) this.sent.set(this.seq, performance.now()); // else no picture follows
      this.say("input", { seq: this.seq, held });
    });
    for (const kind of ["dream", "reality"]) {
      const canvas = h("canvas", { role: "img", "aria-label": kind === "dream" ? "The dream" : "Reality" });
      const note = h("figcaption", {}, h("b", {}, kind), h("span", { class: "step" }));
      this.panes[kind] = { canvas, figure: h("figure", { class: kind, hidden: kind === "reality" }, canvas, note), note };
    }
    this.overlay = h("p", { class: "overlay", role: "status" });
    this.playButton = this.iconButton("pause", "Pause (P)", () => this.toggle());
    this.views = choice("View", [["dream", "Dream"], ["both", "Side by side", about.noReality, !about.reality],
      ["reality", "Reality", about.noReality, !about.reality]], "dream", (it) => this.chooseView(it));
    this.people = players(about, this.who, (who) => this.choosePlayer(who));
    this.strip = h("canvas", { class: "strip", "aria-hidden": "true" });
    this.scrub = h("input", { type: "range", min: 0, max: 0, value: 0, "aria-label": "Moment",
      oninput: () => this.seek(Number(this.scrub.value)) });
    this.scrubbed = h("output", { class: "count" });
    this.partedNote = h("p", { class: "parted", role: "status" });
    this.legend = h("p", { class: "legend" });
    this.tree = h("div", { class: "tree" });
    const speed = h("select", { "aria-label": "Speed", onchange: () => this.say("speed", { factor: Number(speed.value) }) },
      [["0.1", "⅒×"], ["0.25", "¼×"], ["0.5", "½×"], ["1", "1×"], ["2", "2×"], ["4", "4×"]].map(([value, text]) =>
        h("option", { value, selected: value === "1" }, text)));
    this.root.replaceChildren(h("div", { class: "player" },
      h("h1", { class: "unseen" }, `${about.run}: play`),
      h("div", { class: "stage" },
        h("div", { class: "bar" }, this.views, this.people),
        h("div", { class: "panes" }, this.panes.dream.figure, this.panes.reality.figure, this.overlay),
        h("div", { class: "transport" },
          this.iconButton("again", "Begin again (R)", () => this.restart()),
          this.iconButton("back", "One step back (,)", () => this.stepBack()),
          this.playButton,
          this.iconButton("step", "One step (.)", () => this.say("step")), speed, this.hands.element),
        h("div", { class: "time" }, this.strip, this.scrub),
        h("div", { class: "below" }, this.scrubbed, this.legend, this.partedNote), this.tree),
      h("aside", { class: "side", "aria-label": "Numbers and steering" }, this.numbers(), this.steering(), this.beginning(),
        this.latents(), this.keeping(), this.keys())));
    this.chooseView("dream", false);
  }

  iconButton(name, label, onclick) {
    return h("button", { type: "button", class: "round", title: label, "aria-label": label, onclick }, icon(name));
  }

  numbers() {
    this.sparks = {};
    const rows = Object.entries(NUMBERS).map(([name, [label, tone]]) => {
      const spark = { canvas: h("canvas", { class: "spark", "aria-hidden": "true" }), value: h("output", {}, "–"), tone };
      this.sparks[name] = spark;
      spark.row = h("div", { class: "number", title: HINTS[name] }, h("span", {}, label), spark.canvas, spark.value);
      return spark.row;
    });
    const lacks = Object.values(this.about.lacks);
    this.rate = h("p", { class: "rate" });
    return card("Now", ...rows, lacks.length > 0 && h("p", { class: "lacks" }, `This model has ${lacks.join("; ")}.`.replace(
      /has (it|its) /, "lacks: $1 ")), this.rate);
  }

  steering() {
    const { about } = this;
    const heat = h("input", { type: "range", min: -100, max: 60, value: Math.round(50 * Math.log10(about.temperature || 1) * 2),
      "aria-label": "Temperature", disabled: about.temperature === null });
    const shown = h("output", {}, about.temperature === null ? "none" : about.temperature.toFixed(2));
    heat.oninput = () => {
      const value = 10 ** (Number(heat.value) / 100);
      shown.textContent = value.toFixed(2);
      this.say("temperature", { value });
    };
    const horizon = this.horizon = h("select", { "aria-label": "Horizon", disabled: !about.reality,
      onchange: () => {
        if (Number(horizon.value) && !this.isBeside()) return void (horizon.value = "0");
        if (Number(horizon.value)) this.chooseView("both");
        this.say("horizon", { steps: Number(horizon.value) });
      } },
      [[0, "never looks up"], [1, "looks after 1 step"], [5, "looks after 5"], [15, "looks after 15"], [50, "looks after 50"],
        [200, "looks after 200"]].map(([value, text]) => h("option", { value }, text)));
    this.eyes = h("input", { type: "checkbox", role: "switch", disabled: !about.reality,
      onchange: () => {
        if (this.eyes.checked && !this.isBeside()) return void (this.eyes.checked = false);
        if (this.eyes.checked) this.chooseView("both");
        this.say("eyes", { on: this.eyes.checked });
      } });
    return card("Steer the dream",
      h("label", { class: "row", title: "How wild the model's guess of the next state is" }, "Temperature", heat, shown),
      h("label", { class: "row" }, "Horizon", horizon),
      h("label", { class: "row" }, "Eyes open (E)", this.eyes),
      !about.reality && h("p", { class: "lacks" }, `Reality is not here: ${about.noReality}`));
  }

  beginning() {
    const { about } = this;
    const number = h("input", { type: "number", min: 0, max: 2000000, value: 0, "aria-label": "Seed, start or episode" });
    const row = h("input", { type: "number", min: 0, max: 100000, value: 20, "aria-label": "Step of the episode" });
    const step = h("label", { class: "row", hidden: true }, "at its step", row);
    const where = h("select", { "aria-label": "Begin with", onchange: () => (step.hidden = where.value !== "episode") },
      about.reality && h("option", { value: "world" }, "the world, by seed"),
      h("option", { value: "memory" }, `a beginning (of ${about.beginnings})`),
      about.episodes && h("option", { value: "episode" }, "a remembered episode"));
    const whole = (input) => (input.value = Math.min(Number(input.max), Math.max(0, Math.round(Number(input.value) || 0))));
    this.restart = (next = false) => {
      [number, row].forEach(whole);
      if (next) number.value = Number(number.value) + 1;
      this.say("begin", { origin: where.value, number: Number(number.value), row: Number(row.value) });
      this.say("play", { on: true });
    };
    const file = h("input", { type: "file", accept: "image/png,image/jpeg,image/webp", class: "unseen", tabindex: -1,
      "aria-hidden": "true", onchange: () => file.files[0] && this.drop(file.files[0]) });
    const drop = h("button", { type: "button", class: "drop", onclick: () => file.click() }, "Drop an image to begin with");
    this.root.ondragover = (event) => event.preventDefault();
    this.root.ondrop = (event) => {
      event.preventDefault();
      const given = event.dataTransfer.files[0];
      if (given && !this.mayKeep) toast("This link is for watching and playing; nothing can be handed in.", "trouble");
      else if (given) given.name.endsWith(".json") ? this.follow(given) : this.drop(given);
    };
    this.auto = h("input", { type: "checkbox" });
    return card("Begin", h("label", { class: "row" }, "with", where), h("label", { class: "row" }, "number", number), step,
      h("div", { class: "buttons" }, h("button", { type: "button", onclick: () => this.restart() }, "Begin"),
        h("button", { type: "button", onclick: () => this.restart(true) }, "Next"),
        h("label", { class: "tick" }, this.auto, "next by itself")), about.image && this.mayKeep && [drop, file]);
  }

  latents() {
    this.dials = h("div", { class: "dials" });
    return card("Latent state", h("p", { class: "hint" }, "Turn what varies most, and see what it means. It begins a branch."),
      h("button", { type: "button", onclick: () => (this.say("play", { on: false }), this.say("dials")) }, "Show sliders"),
      this.dials);
  }

  drawDials(dials) {
    this.dials.replaceChildren(...dials.map((dial, index) => {
      const shown = h("output", {}, short(Number(dial.value.toFixed(2))));
      const slider = h("input", { type: "range", min: dial.low, max: dial.high, value: dial.value,
        step: dial.whole ? 1 : (dial.high - dial.low) / 200, "aria-label": `latent ${dial.name}` });
      slider.oninput = () => {
        shown.textContent = short(Number(Number(slider.value).toFixed(2)));
        this.say("turn", { dial: index, value: Number(slider.value) });
      };
      return h("label", { class: "row" }, dial.name, slider, shown);
    }));
  }

  keeping() {
    const keep = (what, name, text) => h("button", { type: "button", "data-keep": what, onclick: (event) =>
      this.kept(event.target, what, name) }, text);
    const file = h("input", { type: "file", accept: "application/json", class: "unseen", tabindex: -1, "aria-hidden": "true",
      onchange: () => file.files[0] && this.follow(file.files[0]) });
    return card("Keep", h("p", { class: "hint" }, "From the beginning to this moment."),
      h("div", { class: "buttons" }, keep("png", "still.png", "Still"), keep("webp", "play.webp", "WebP"),
        keep("mp4", "play.mp4", "MP4"), keep("log", "play.json", "Actions"), this.mayKeep && [
        h("button", { type: "button", onclick: () => file.click() }, "Replay actions …"), file,
        h("button", { type: "button", "data-keep": "experience", onclick: () => this.experience() }, "As experience"),
        h("button", { type: "button", "data-keep": "share", onclick: () => this.share() }, "Link to this moment")]));
  }

  keys() {
    const remap = h("button", { type: "button", "aria-pressed": "false", onclick: () => {
      const on = remap.getAttribute("aria-pressed") !== "true";
      remap.setAttribute("aria-pressed", String(on));
      remap.textContent = on ? "Done" : "Choose keys …";
      this.hands.teach(on);
    } }, "Choose keys …");
    const reset = h("button", { type: "button", onclick: () => this.hands.reset() }, "Reset");
    const say = (keys, what) => h("div", { class: "key" }, h("kbd", {}, keys), h("span", {}, what));
    return card("Keys", Object.entries(SHORTCUTS).map(([code, what]) => say(keyName(code).toUpperCase(), what)), h("div", { class: "buttons" }, remap, reset));
  }

  // ---------------------------------------------------------------------------------------------- what a person does

  shortcut(event) {
    const typing = event.target.closest?.("input:not([type=range], [type=checkbox]), textarea, select");
    if (typing || event.repeat || event.ctrlKey || event.metaKey || event.altKey || !this.about) return;
    if (this.hands.learning !== null || this.hands.owns(event.code)) return;
    const act = {
      KeyP: () => this.toggle(), Period: () => this.say("step"), Comma: () => this.stepBack(), KeyR: () => this.restart(),
      KeyV: () => this.about.reality && this.chooseView({ dream: "both", both: "reality", reality: "dream" }[this.view]),
      KeyE: () => this.about.reality && this.eyes.click(), KeyB: () => this.tree.querySelector("button")?.focus(),
    }[event.code];
    if (act) {
      event.preventDefault();
      act();
    }
  }

  toggle() {
    this.say("play", { on: !this.playing });
    this.note("");
  }

  stepBack() {
    const place = this.line.findIndex((row) => row.moment === this.at);
    if (place > 0) this.say("seek", { moment: this.line[place - 1].moment });
  }

  seek(place) {
    const row = this.line[place];
    if (row) this.say("seek", { moment: row.moment });
  }

  // Whether there is a world beside this dream; says so if not.
  isBeside() {
    if (!this.inWorld) toast("This dream did not begin in the world, so there is no reality beside it. Begin in the world.", "trouble");
    return this.inWorld;
  }

  chooseView(view, tell = true) {
    if (tell && view !== "dream" && !this.isBeside()) return;
    this.view = view;
    this.views.choose(view);
    this.panes.dream.figure.hidden = view === "reality";
    this.panes.reality.figure.hidden = view === "dream";
    if (tell) this.say("view", { what: view });
    this.legend.replaceChildren(...(view === "dream" ? this.legendOf([["--dream", "reward"], ["--reality", "goes on", "continue"],
      ["--warm", "uncertainty"]].filter(([, text, name]) => this.about.numbers.includes(name || text)))
      : this.legendOf([["--dream", "error of the dream"], ["--reality", "of looking"], ["--faint", "of the last picture"], ["--warm", "of the latent state"]])));
  }

  legendOf(entries) {
    return entries.map(([tone, text]) => h("span", { class: tone.slice(2) }, text));
  }

  choosePlayer(who) {
    if (who === "planner") toast("The planner imagines 64 plans for every step; the first takes some seconds.");
    this.who = who;
    this.people.choose(who);
    this.say("player", { who });
  }

  note(text, kind = "") {
    if (!this.overlay) return;
    this.overlay.textContent = text;
    this.overlay.className = `overlay ${text ? kind : ""}`;
  }

  async drop(file) {
    await this.guarded(async () => {
      await post(`/api/plays/${this.play}/image`, file);
      this.say("play", { on: true });
    });
  }

  async follow(file) {
    await this.guarded(async () => {
      const { steps, differs, played } = await (await post(`/api/plays/${this.play}/follow`, file)).json();
      toast(differs === null ? `Replayed ${steps} steps: the same to the last bit.`
        : `Replayed ${steps} steps: they differ from step ${differs} on (${played || "another machine, or other versions"}).`);
    });
  }

  async go(moment) {
    await this.guarded(async () => {
      const { steps } = await (await post(`/api/plays/${this.play}/moment`, moment)).json();
      toast(`Step ${steps} of a shared dream.`);
    });
  }

  async kept(button, what, name) {
    button.disabled = true;
    await this.guarded(async () => save(await (await post(`/api/plays/${this.play}/${what}`)).blob(), name));
    button.disabled = false;
  }

  async experience() {
    await this.guarded(async () => {
      const { folder, rows, world } = await (await post(`/api/plays/${this.play}/experience`)).json();
      toast(`${rows} rows of ${world} are in ${folder}: reverie data show ${folder}`);
    });
  }

  async share() {
    await this.guarded(async () => {
      const { moment } = await (await post(`/api/plays/${this.play}/share`)).json();
      const link = `${location.origin}/#/play/${this.run}/${moment}`;
      try {
        await navigator.clipboard.writeText(link);
        toast("The link is copied; it works on this machine.");
      } catch {
        toast(link);
      }
      this.shared = link;
    });
  }

  async guarded(work) {
    try {
      await work();
    } catch (error) {
      toast(error.message, "trouble");
    }
  }

  // ------------------------------------------------------------------------------------------------------- drawing

  drawSoon() {
    if (this.drawing) return;
    this.drawing = requestAnimationFrame(() => {
      this.drawing = null;
      this.draw();
    });
  }

  draw() {
    if (!this.about || !this.line.length) return;
    let place = this.line.findIndex((row) => row.moment === this.at);
    if (place < 0) place = this.line.length - 1;
    const past = this.line.slice(Math.max(0, place - RECENT), place + 1);
    const now = past.at(-1);
    for (const [name, spark] of Object.entries(this.sparks)) {
      const values = past.map((row) => row[name]);
      const beside = name === "pixel" || name === "latent";
      spark.row.hidden = !values.some(Number.isFinite) || (beside && this.view === "dream");
      if (spark.row.hidden) continue;
      spark.value.textContent = short(Number(now[name].toPrecision(3)));
      sparkline(spark.canvas, values, spark.tone);
    }
    this.scrub.max = this.line.length - 1;
    this.scrub.value = place;
    this.scrub.setAttribute("aria-valuetext", `step ${now.depth} of ${this.line.at(-1).depth}`);
    this.scrubbed.textContent = `step ${now.depth} / ${this.line.at(-1).depth}`;
    strip(this.strip, this.line, this.at, this.parted, this.view !== "dream");
    this.hands.doing(now.action);
    const how = ["began", "dreamt", "looked", "changed by hand"][now.how];
    this.panes.dream.note.querySelector(".step").textContent = how;
    this.panes.reality.note.querySelector(".step").textContent = this.view === "dream" ? ""
      : Number.isFinite(now.paid) ? `paid ${short(now.paid)}` : "has ended";
    if (this.playing !== this.shownPlaying) {
      this.shownPlaying = this.playing;
      const label = this.playing ? "Pause (P)" : "Play (P)";
      this.playButton.replaceChildren(icon(this.playing ? "pause" : "play"));
      this.playButton.title = label;
      this.playButton.setAttribute("aria-label", label);
      if (this.playing) this.note("");
      else this.askTree();
    }
    this.eyes.checked = this.flags.eyes;
    if (this.flags.waiting && this.playing) this.note("This world waits for you: hold a key.", "waiting");
    else if (this.overlay.classList.contains("waiting")) this.note("");
  }

  askTree() {
    clearTimeout(this.asking);
    this.asking = setTimeout(() => this.say("tree"), 150);
  }

  drawTree({ branches, branch, at }) {
    this.tree.hidden = branches.length < 2;
    const longest = Math.max(1, ...branches.map((it) => it.depth));
    const focused = this.tree.contains(document.activeElement) ? document.activeElement.dataset.branch : null;
    this.tree.replaceChildren(h("h2", {}, `${branches.length} branches`), h("ul", {}, branches.map((it) => {
      const label = it.parent < 0 ? "1: from the beginning" : `${it.branch + 1}: from step ${it.leaves} of ${it.parent + 1}`;
      const limb = h("span", { class: "limb" });
      limb.style.marginLeft = `${(100 * it.leaves) / longest}%`;
      limb.style.width = `${Math.max(1, (100 * (it.depth - it.leaves)) / longest)}%`;
      return h("li", {}, h("button", { type: "button", "data-branch": String(it.branch), "aria-current": String(it.branch === branch),
        onclick: () => (this.say("seek", { moment: it.tip }), this.askTree()) },
        it.picture ? h("img", { src: it.picture, alt: "" }) : h("span", { class: "blank" }),
        h("span", { class: "said" }, h("b", {}, `${label} to ${it.depth}`), h("span", { class: "rail" }, limb))));
    })));
    if (focused !== null) this.tree.querySelector(`[data-branch="${focused}"]`)?.focus();
  }

  measure() {
    const now = performance.now();
    this.stamps = this.stamps.filter((stamp) => now - stamp < 2000);
    const sorted = this.latencies.slice(-41).sort((a, b) => a - b);
    const latency = sorted.length ? `${Math.round(sorted[sorted.length >> 1])} ms from key to picture` : "";
    if (!this.rate) return;
    const rate = this.stamps.length / 2;
    this.rate.textContent = [`${rate.toFixed(0)} frames/s of ${Math.round(this.about.fps)}`,
      `model ${((this.micros || 0) / 1000).toFixed(1)} ms`, latency].filter(Boolean).join(" · ");
  }
}
