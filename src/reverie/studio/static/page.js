// A part of the page that is read again and again while it is open.
const EVERY = 2500;

export class Page {
  constructor(read, every = EVERY) {
    this.open = true;
    this.redraw = () => {};
    const again = async () => {
      if (!this.open) return;
      if (!document.hidden) await read(this);
      this.timer = setTimeout(again, every);
    };
    again();
  }

  close() {
    this.open = false;
    clearTimeout(this.timer);
  }
}
