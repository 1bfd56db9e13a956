import { Unanswered } from "/static/dom.js";

// A part of the page that is read again and again while it is open.
const EVERY = 2500;

const said = (text) => (document.getElementById("status").textContent = text);

export class Page {
  constructor(read, every = EVERY) {
    this.open = true;
    this.redraw = () => {};
    const again = async () => {
      if (!this.open) return;
      try {
        if (!document.hidden) await read(this);
        said("");
        this.trouble = "";
      } catch (error) {
        if (error instanceof Unanswered) said("The studio does not answer; trying again …");
        else if (this.trouble !== error.message) Promise.reject(error);  // told once, by `main.js`
        this.trouble = error.message;
      }
      this.timer = setTimeout(again, every);
    };
    again();
  }

  close() {
    this.open = false;
    clearTimeout(this.timer);
  }
}
