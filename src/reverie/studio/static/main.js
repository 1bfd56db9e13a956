// Where one is: #/ the runs, #/run/ID one of them, #/compare/ID,ID several, #/play/ID its dream, #/play/ID/MOMENT there.
import { h, toast } from "/static/dom.js";
import { Play } from "/static/play.js";
import { compare, list, nothing, run } from "/static/runs.js";

const main = document.getElementById("main");
let current = null;

function open() {
  current?.close();
  const [where, id, more] = location.hash.replace(/^#\/?/, "").split("/");
  document.getElementById("where").textContent = "";
  document.getElementById("status").textContent = "";
  main.className = where || "list";
  main.ondrop = main.ondragover = null;
  const pages = { play: () => new Play(main, id, more), run: () => run(main, id), compare: () => compare(main, id.split(",")) };
  const known = /^[0-9a-f]{16}(,[0-9a-f]{16})*$/.test(id || "");
  current = where && !(pages[where] && known) ? (nothing(main, "There is no such page here."), null) : (pages[where] || (() => list(main)))();
  window.studio = current; // for the tests, and for the curious
}

document.getElementById("theme").onclick = () => {
  const root = document.documentElement;
  root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
  localStorage.setItem("theme", root.dataset.theme);
  current?.redraw?.();
};
addEventListener("hashchange", open);
addEventListener("unhandledrejection", ({ reason }) => toast(reason?.message || String(reason), "trouble"));
main.append(h("p", { class: "loading" }, "Opening …"));
open();
