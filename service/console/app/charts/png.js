import { save } from "../core/saving.js";
import { readLook } from "./look.js";
import { fillMark } from "./patterns.js";

/** @typedef {import("../types.d.ts").Status} Status */
/** @typedef {import("./element.js").ChartElement} ChartElement */
/** @typedef {import("./look.js").Look} Look */

/**
 * What a picture says beside the chart.
 *
 * @typedef {object} Labels
 * @property {string} title
 * @property {string} caption
 * @property {string} footer Range, zone and as-of.
 * @property {readonly { status: Status, text: string }[]} legend
 * @property {{ figure: string, unit: string }} [middle] Of a ring.
 * @property {boolean} hasPatterns
 */

const SCALE = 2;
const EDGE = 16;
const LINE = 20;
const MARK = 12;

/**
 * Saves a chart as a picture that says by itself what it shows. Nothing is saved before the chart is there.
 *
 * @param {ChartElement} chart
 * @param {Labels} labels
 * @param {string} name
 */
export async function savePng(chart, labels, name) {
  const drawn = chart.picture(SCALE);
  if (!drawn) return;
  const blob = await new Promise((/** @type {(blob: Blob | null) => void} */ done) => {
    compose(drawn, labels, readLook(chart)).toBlob(done, "image/png");
  });
  if (blob) save(blob, name);
}

/**
 * @param {HTMLCanvasElement} drawn
 * @param {Labels} labels
 * @param {Look} look
 */
function compose(drawn, labels, look) {
  const canvas = document.createElement("canvas");
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const [width, height] = [Math.max(drawn.width / SCALE, 480), drawn.height / SCALE];
  const rows = placeLegend(context, labels, look, width);
  const top = EDGE + 2 * LINE + rows.length * LINE + EDGE / 2;
  canvas.width = (width + 2 * EDGE) * SCALE;
  canvas.height = (top + height + LINE + EDGE) * SCALE;
  context.scale(SCALE, SCALE);
  context.fillStyle = look.surface;
  context.fillRect(0, 0, canvas.width, canvas.height);

  const left = EDGE + (width - drawn.width / SCALE) / 2;
  context.drawImage(drawn, left, top, drawn.width / SCALE, height);
  const write = (/** @type {string} */ text, /** @type {number} */ x, /** @type {number} */ y, style = look.quiet, font = "12px") => {
    context.font = `${font} ${look.font}`;
    context.fillStyle = style;
    context.fillText(text, x, y, width + EDGE - x);
  };
  write(labels.title, EDGE, EDGE + 14, look.text, "600 16px");
  write(labels.caption, EDGE, EDGE + LINE + 12);
  rows.forEach((row, at) => {
    const y = EDGE + (at + 2) * LINE;
    for (const { status, text, x } of row) {
      fillMark(context, status, { x: EDGE + x, y: y + 3, size: MARK }, look, labels.hasPatterns);
      write(text, EDGE + x + MARK + 6, y + 13, look.text);
    }
  });
  write(labels.footer, EDGE, top + height + LINE);
  if (labels.middle) {
    context.textAlign = "center";
    context.textBaseline = "middle";
    const [x, y] = [left + drawn.width / SCALE / 2, top + height / 2];
    write(labels.middle.figure, x, y - 8, look.text, "600 20px");
    write(labels.middle.unit, x, y + 12);
  }
  return canvas;
}

/**
 * Breaks the legend into lines.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Labels} labels
 * @param {Look} look
 * @param {number} width
 */
function placeLegend(context, { legend }, look, width) {
  /** @type {{ status: Status, text: string, x: number }[][]} */
  const rows = [];
  let x = Infinity;
  context.font = `12px ${look.font}`;
  for (const { status, text } of legend) {
    const length = MARK + 6 + context.measureText(text).width;
    if (x + length > width) {
      rows.push([]);
      x = 0;
    }
    rows.at(-1)?.push({ status, text, x });
    x += length + EDGE;
  }
  return rows;
}
