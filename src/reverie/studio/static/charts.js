// Lines on a canvas: sparklines beside the frame, the strip below it, curves of runs.
import { colour, short } from "/static/dom.js";

export function fitted(canvas) {
  const ratio = Math.min(3, devicePixelRatio || 1);
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const paint = canvas.getContext("2d");
  paint.setTransform(ratio, 0, 0, ratio, 0, 0);
  paint.clearRect(0, 0, width, height);
  return { paint, width, height };
}

const finite = (values) => values.filter((value) => Number.isFinite(value));

export function extent(values) {
  const known = finite(values);
  if (!known.length) return null;
  let [low, high] = [Math.min(...known), Math.max(...known)];
  if (high - low < 1e-9) [low, high] = [low - 0.5, high + 0.5]; // in the middle
  return [low, high];
}

export function trace(paint, values, x, y) {
  paint.beginPath();
  let pen = false;
  values.forEach((value, index) => {
    if (!Number.isFinite(value)) {
      pen = false;
      return;
    }
    pen ? paint.lineTo(x(index), y(value)) : paint.moveTo(x(index), y(value));
    pen = true;
  });
  paint.stroke();
}

export function sparkline(canvas, values, tone) {
  const { paint, width, height } = fitted(canvas);
  const range = extent(values);
  if (!range) return;
  const x = (index) => 1 + ((width - 4) * index) / Math.max(1, values.length - 1);
  const y = (value) => height - 3 - ((height - 6) * (value - range[0])) / (range[1] - range[0]);
  paint.strokeStyle = colour(tone);
  paint.lineWidth = 1.5;
  paint.lineJoin = "round";
  trace(paint, values, x, y);
  const last = values.at(-1);
  if (Number.isFinite(last)) {
    paint.fillStyle = colour(tone);
    paint.beginPath();
    paint.arc(x(values.length - 1), y(last), 2.2, 0, 7);
    paint.fill();
  }
}

// The strip: what happened along the line, with the moment and where the dream parted from reality.
export function strip(canvas, line, at, parted, beside) {
  const { paint, width, height } = fitted(canvas);
  const count = Math.max(2, line.length);
  const x = (index) => 8 + ((width - 16) * index) / (count - 1); // where the slider's thumb is
  const has = (name) => line.some((row) => Number.isFinite(row[name]));
  const lower = height * 0.66;
  paint.lineJoin = "round";
  if (beside) {
    const top = Math.max(...finite(line.flatMap((row) => [row.pixel, row.copied])), 1e-9);
    const y = (value) => lower - 4 - (lower - 18) * Math.sqrt(value / top);
    line.forEach((row, index) => {
      if (!Number.isFinite(row.pixel)) return;
      paint.fillStyle = colour("--dream");
      paint.globalAlpha = row.how === 2 ? 0.25 : 0.55;
      paint.fillRect(x(index) - width / count / 2, y(row.pixel), Math.max(1, width / count), lower - 4 - y(row.pixel));
    });
    paint.globalAlpha = 1;
    paint.lineWidth = 1.2;
    paint.strokeStyle = colour("--faint");
    trace(paint, line.map((row) => row.copied), x, y);
    paint.strokeStyle = colour("--reality");
    trace(paint, line.map((row) => row.looking), x, y);
    const far = extent([0, ...line.map((row) => row.latent)]);
    paint.strokeStyle = colour("--warm");
    trace(paint, line.map((row) => row.latent), x, (v) => height - 3 - ((height - lower - 6) * (v - far[0])) / (far[1] - far[0]));
  } else {
    const known = ["uncertainty", "continue", "reward"].filter(has);
    const tones = { uncertainty: "--warm", continue: "--reality", reward: "--dream" };
    known.forEach((name) => {
      const range = name === "reward" ? extent(line.map((row) => row[name])) : [0, 1.02];
      paint.strokeStyle = colour(tones[name]);
      paint.lineWidth = 1.4;
      trace(paint, line.map((row) => row[name]), x, (v) => height - 6 - ((height - 22) * (v - range[0])) / (range[1] - range[0]));
    });
  }
  line.forEach((row, index) => {
    if (row.how !== 3) return;
    paint.fillStyle = colour("--warm");
    paint.fillRect(x(index) - 1.5, 0, 3, 6);
  });
  const place = (moment) => line.findIndex((row) => row.moment === moment);
  const left = parted === null ? -1 : place(parted);
  if (left >= 0) {
    paint.strokeStyle = colour("--bad");
    paint.setLineDash([4, 3]);
    paint.beginPath();
    paint.moveTo(x(left), 0);
    paint.lineTo(x(left), height);
    paint.stroke();
    paint.setLineDash([]);
    paint.fillStyle = colour("--bad");
    paint.font = "11px system-ui, sans-serif";
    const text = "no longer useful";
    paint.fillText(text, x(left) + 90 > width ? x(left) - paint.measureText(text).width - 5 : x(left) + 5, 11);
  }
  const now = place(at);
  if (now >= 0) {
    paint.fillStyle = colour("--ink");
    paint.fillRect(x(now) - 0.75, 0, 1.5, height);
  }
}

// Numbers as bars around zero, with their names: a world that has no picture.
export function bars(canvas, values, labels, tone) {
  if (values.length > 16) return cells(canvas, values, tone);
  canvas.width = 320;
  canvas.height = Math.max(120, Math.min(values.length, 16) * 22 + 16);
  const paint = canvas.getContext("2d");
  paint.fillStyle = colour("--well");
  paint.fillRect(0, 0, canvas.width, canvas.height);
  paint.font = "12px system-ui, sans-serif";
  const most = Math.max(1, ...finite([...values]).map(Math.abs));
  [...values].slice(0, 16).forEach((value, index) => {
    const y = 8 + index * 22;
    paint.fillStyle = colour(tone);
    const length = (value / most) * 70;
    paint.fillRect(length < 0 ? 200 + length : 200, y + 3, Math.abs(length) + 1, 14);
    paint.fillStyle = colour("--soft");
    paint.fillText(labels[index] || `number ${index}`, 8, y + 14, 110);
    paint.fillText(short(Number(value.toPrecision(3))), 276, y + 14, 42);
  });
}

// Many numbers: a square of cells, the brighter the larger.
function cells(canvas, values, tone) {
  const side = Math.ceil(Math.sqrt(values.length));
  Object.assign(canvas, { width: 320, height: Math.ceil(values.length / side) * Math.floor(320 / side) });
  const paint = canvas.getContext("2d");
  paint.fillStyle = colour("--well");
  paint.fillRect(0, 0, canvas.width, canvas.height);
  const range = extent([...values]);
  const size = Math.floor(320 / side);
  paint.fillStyle = colour(tone);
  [...values].forEach((value, index) => {
    paint.globalAlpha = range ? 0.08 + (0.92 * (value - range[0])) / (range[1] - range[0]) : 0;
    paint.fillRect((index % side) * size + 1, Math.floor(index / side) * size + 1, size - 2, size - 2);
  });
  paint.globalAlpha = 1;
}

const TONES = ["--dream", "--reality", "--warm", "--bad", "--blue", "--soft"];

// Curves of one metric, of one run or several, with a mark at one place.
export function curves(canvas, lines, at = null) {
  const { paint, width, height } = fitted(canvas);
  const [left, bottom] = [44, 18];
  const xs = extent(lines.flatMap((line) => line.x));
  const ys = extent(lines.flatMap((line) => line.y));
  if (!xs || !ys) return;
  const x = (value) => left + ((width - left - 8) * (value - xs[0])) / (xs[1] - xs[0]);
  const y = (value) => height - bottom - ((height - bottom - 8) * (value - ys[0])) / (ys[1] - ys[0]);
  paint.font = "11px system-ui, sans-serif";
  paint.fillStyle = colour("--soft");
  paint.strokeStyle = colour("--edge");
  paint.lineWidth = 1;
  for (const share of [0, 0.5, 1]) {
    const value = ys[0] + share * (ys[1] - ys[0]);
    paint.beginPath();
    paint.moveTo(left, y(value));
    paint.lineTo(width - 8, y(value));
    paint.stroke();
    paint.textAlign = "right";
    paint.fillText(short(Number(value.toPrecision(3))), left - 5, y(value) + 4);
  }
  paint.textAlign = "left";
  paint.fillText(short(Math.round(xs[0])), left, height - 4);
  paint.textAlign = "right";
  paint.fillText(short(Math.round(xs[1])), width - 8, height - 4);
  paint.textAlign = "left";
  lines.forEach((line, index) => {
    paint.strokeStyle = colour(TONES[index % TONES.length]);
    paint.lineWidth = 1.6;
    paint.beginPath();
    line.x.forEach((value, place) => {
      if (line.y[place] !== null) paint.lineTo(x(value), y(line.y[place]));
    });
    paint.stroke();
    if (line.x.length === 1 && line.y[0] !== null) {
      paint.fillStyle = paint.strokeStyle;
      paint.beginPath();
      paint.arc(x(line.x[0]), y(line.y[0]), 3.5, 0, 7);
      paint.fill();
    }
  });
  if (at === null) return;
  paint.fillStyle = colour("--ink");
  paint.fillRect(x(at) - 0.75, 0, 1.5, height - bottom);
}

export const tone = (index) => TONES[index % TONES.length];
