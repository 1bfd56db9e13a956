// The connection to a play: words as JSON, frames as bytes (drawn in studio/wire.py), acknowledged once painted.

export const COLUMNS = ["moment", "depth", "how", "reward", "value", "continue", "entropy", "uncertainty",
  "pixel", "latent", "copied", "looking", "paid", "action"];
const FLAGS = { paused: 1, over: 2, waiting: 4, eyes: 8, whole: 16 };
const KINDS = ["dream", "reality"];
const CODECS = ["rgb", "jpeg", "vector"];

export function unpack(buffer) {
  const view = new DataView(buffer);
  const frame = {
    moment: view.getUint32(4, true), number: view.getUint32(8, true), input: view.getUint32(12, true),
    micros: view.getUint32(16, true), panes: [], rows: [],
  };
  for (const [name, bit] of Object.entries(FLAGS)) frame[name] = Boolean(view.getUint16(2, true) & bit);
  let place = 24;
  for (let n = view.getUint8(1); n > 0; n--) {
    const size = view.getUint32(place + 8, true);
    frame.panes.push({ kind: KINDS[view.getUint8(place)], codec: CODECS[view.getUint8(place + 1)],
      width: view.getUint16(place + 2, true), height: view.getUint16(place + 4, true),
      bytes: new Uint8Array(buffer, place + 12, size) });
    place += 12 + size;
  }
  const [rows, columns] = [view.getUint16(20, true), view.getUint16(22, true)];
  for (let row = 0; row < rows; row++) {
    const numbers = {};
    for (let column = 0; column < columns; column++, place += 4) numbers[COLUMNS[column]] = view.getFloat32(place, true);
    frame.rows.push(numbers);
  }
  return frame;
}

// Comes back by itself: after a short break to the same play, after a restart of the server to a new one.
export class Wire {
  constructor(run, { words, frame, state }) {
    this.run = run;
    this.heard = { words, frame, state };
    this.play = null;
    this.wait = 300;
    this.closed = false;
    this.connect();
  }

  connect() {
    const play = this.play === null ? "" : `?play=${this.play}`;
    this.socket = new WebSocket(`${location.protocol.replace("http", "ws")}//${location.host}/ws/${this.run}${play}`);
    this.socket.binaryType = "arraybuffer";
    this.socket.onopen = () => this.heard.state("connected");
    this.socket.onmessage = ({ data }) => {
      if (typeof data === "string") return this.words(JSON.parse(data));
      const frame = unpack(data);
      Promise.resolve(this.heard.frame(frame, data.byteLength)).then(() => this.say({ type: "ack", frame: frame.number }));
    };
    this.socket.onclose = ({ code }) => {
      if (this.closed) return;
      if (code === 4404) return this.heard.state("ended");
      this.heard.state("lost");
      setTimeout(() => this.closed || this.connect(), this.wait);
      this.wait = Math.min(5000, this.wait * 1.7);
    };
  }

  words(words) {
    if (words.type === "welcome") {
      this.play = words.play;
      this.wait = 300;
    }
    this.heard.words(words);
  }

  say(words) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(words));
  }

  close() {
    this.closed = true;
    this.socket.close();
  }
}
