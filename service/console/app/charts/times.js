import { LOCALES } from "../words/words.js";

/** @typedef {import("../types.d.ts").Language} Language */
/** @typedef {import("../types.d.ts").Point} Point */

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const TEXT_PIXELS = 64; // with what is between two of them, of 12 pixels each

/**
 * How far apart the texts of an axis may be: where the wall clock begins another of them. `digits` is how much of
 * `2026-11-26 14:05` tells one from the next, `step` how many of the last number make one.
 *
 * @type {readonly { lengthMs: number, digits: number, step: number, style: Intl.DateTimeFormatOptions }[]}
 */
const SCALES = [
  { lengthMs: 5 * MINUTE_MS, digits: 16, step: 5, style: { hour: "2-digit", minute: "2-digit" } },
  { lengthMs: 15 * MINUTE_MS, digits: 16, step: 15, style: { hour: "2-digit", minute: "2-digit" } },
  { lengthMs: HOUR_MS, digits: 13, step: 1, style: { hour: "2-digit", minute: "2-digit" } },
  { lengthMs: 3 * HOUR_MS, digits: 13, step: 3, style: { hour: "2-digit", minute: "2-digit" } },
  { lengthMs: 6 * HOUR_MS, digits: 13, step: 6, style: { hour: "2-digit", minute: "2-digit" } },
  { lengthMs: DAY_MS, digits: 10, step: 1, style: { month: "short", day: "numeric" } },
  { lengthMs: 5 * DAY_MS, digits: 10, step: 5, style: { month: "short", day: "numeric" } },
  { lengthMs: 30 * DAY_MS, digits: 7, step: 1, style: { month: "short" } },
  { lengthMs: 90 * DAY_MS, digits: 7, step: 3, style: { month: "short" } },
  { lengthMs: 365 * DAY_MS, digits: 4, step: 1, style: { year: "numeric" } },
];
const LONGEST = /** @type {(typeof SCALES)[number]} */ (SCALES.at(-1));
const DAY = /** @type {(typeof SCALES)[number]} */ (SCALES[5]);

/**
 * Returns the texts below an axis, by the index of their point: where the wall clock of the zone begins a minute, an
 * hour, a day, a month or a year, as the width allows. The first of a day among hours has its date, the first of a year
 * among months has that.
 *
 * @param {readonly Point[]} points
 * @param {number} width In pixels.
 * @param {string} timeZone
 * @param {Language} language
 * @returns {Map<number, string>}
 */
export function axisTexts(points, width, timeZone, language) {
  const spanMs = (points.at(-1)?.endMs ?? 0) - (points[0]?.startMs ?? 0);
  const scale = SCALES.find(({ lengthMs }) => (spanMs / lengthMs) * TEXT_PIXELS <= width) ?? LONGEST;
  const format = (/** @type {Intl.DateTimeFormatOptions} */ style) => {
    return new Intl.DateTimeFormat(LOCALES[language], { timeZone, hourCycle: "h23", ...style });
  };
  const texts = format(scale.style);
  // What the first of a larger unit shows: of a day among hours, of a year among months.
  const [unit, firsts] = scale.digits > 10 ? [10, format(DAY.style)] : [4, format({ ...scale.style, year: "numeric" })];
  const walls = points.map(({ startMs }) => wallText(startMs, timeZone));
  const found = new Map();
  points.forEach(({ startMs }, index) => {
    const [wall, before] = [walls[index] ?? "", walls[index - 1]];
    if (before === undefined || stepOf(wall, scale) === stepOf(before, scale)) return;
    const isFirst = wall.slice(0, unit) !== before.slice(0, unit);
    found.set(index, (isFirst ? firsts : texts).format(startMs));
  });
  if (found.size === 0 && points[0]) found.set(0, texts.format(points[0].startMs));
  return found;
}

/**
 * @param {string} wall
 * @param {{ digits: number, step: number }} scale
 */
function stepOf(wall, { digits, step }) {
  const first = digits === 7 || digits === 10 ? 1 : 0; // months and days are counted from 1
  const last = Math.floor((Number(wall.slice(digits === 4 ? 0 : digits - 2, digits)) - first) / step);
  return `${wall.slice(0, digits === 4 ? 0 : digits - 2)}${step === 5 && digits === 10 ? Math.min(last, 5) : last}`;
}

/**
 * Returns an instant as the wall clock of a zone shows it: `2026-11-26 14:05:33`.
 *
 * @param {number} ms
 * @param {string} timeZone
 */
function wallText(ms, timeZone) {
  return wallFormat(timeZone).format(ms);
}

/** @type {Map<string, Intl.DateTimeFormat>} */
const wallFormats = new Map();

/** @param {string} timeZone */
function wallFormat(timeZone) {
  let format = wallFormats.get(timeZone);
  if (!format) {
    format = new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short", timeStyle: "medium" }); // Sweden writes ISO
    wallFormats.set(timeZone, format);
  }
  return format;
}

/**
 * Returns an instant in ISO 8601 by the wall clock of a zone, with its offset: `2026-11-26T14:05:33.120+08:00`.
 *
 * @param {number} ms
 * @param {string} timeZone
 */
export function isoText(ms, timeZone) {
  const wall = wallText(ms, timeZone).replace(" ", "T");
  const seconds = Math.round((Date.parse(`${wall}Z`) - Math.floor(ms / 1000) * 1000) / 1000);
  const two = (/** @type {number} */ value) => String(Math.floor(value)).padStart(2, "0");
  const size = Math.abs(seconds);
  const offset = `${seconds < 0 ? "-" : "+"}${two(size / 3600)}:${two((size % 3600) / 60)}${size % 60 ? `:${two(size % 60)}` : ""}`;
  return `${wall}.${String(ms % 1000).padStart(3, "0")}${offset}`;
}
