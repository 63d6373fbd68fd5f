/** @typedef {import("../types.d.ts").Bounds} Bounds */
/** @typedef {import("../types.d.ts").Preset} Preset */
/** @typedef {import("../types.d.ts").Range} Range */

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const PARTS = 1440; // of a length: fewer are seen in a chart

/** @type {Record<Exclude<Preset, "all">, number>} */
const LENGTH_MS = { "24h": 24 * HOUR_MS, "7d": 7 * DAY_MS, "30d": 30 * DAY_MS, "1y": 365 * DAY_MS };

/** @param {number} ms */
const minute = (ms) => Math.floor(ms / MINUTE_MS) * MINUTE_MS;

/**
 * Returns the bounds that statistics of a range are asked for with. A preset begins on a minute, and has no end.
 *
 * @param {Range} range
 * @param {number} nowMs
 * @returns {Bounds}
 */
export function boundsOf(range, nowMs) {
  if (!("preset" in range)) return { fromMs: range.fromMs, toMs: range.toMs };
  if (range.preset === "all") return { fromMs: null, toMs: null };
  return { fromMs: minute(nowMs) - LENGTH_MS[range.preset], toMs: null };
}

/**
 * Returns the bounds that a preset goes on with while nobody has asked for anything else: those that are shown, until
 * they are longer than the preset by one in 1,440 (a minute of a day, half an hour of 30 days). Each of their answers is
 * exact for the bounds that the page names; other bounds are another question to the service, and another stream.
 *
 * @param {Range} range
 * @param {number} nowMs
 * @param {Bounds | undefined} shown
 * @returns {Bounds}
 */
export function boundsGoingOn(range, nowMs, shown) {
  const newest = boundsOf(range, nowMs);
  if (!("preset" in range) || range.preset === "all" || !shown || shown.toMs !== null || shown.fromMs === null) return newest;
  const lateMs = (newest.fromMs ?? 0) - shown.fromMs;
  return lateMs >= 0 && lateMs < LENGTH_MS[range.preset] / PARTS ? shown : newest;
}

/**
 * Returns the bounds of the period of the same length before; null where the range has none.
 *
 * @param {Range} range
 * @param {Bounds} bounds
 * @returns {{ fromMs: number, toMs: number } | null}
 */
export function boundsBefore(range, { fromMs, toMs }) {
  if (fromMs === null) return null;
  const lengthMs = "preset" in range ? LENGTH_MS[/** @type {"24h"} */ (range.preset)] : (toMs ?? fromMs) - fromMs;
  return lengthMs > 0 && fromMs >= lengthMs ? { fromMs: fromMs - lengthMs, toMs: fromMs } : null;
}

/**
 * Returns where a series over the same jobs ends: at the end of the range, or with the minute that goes on.
 *
 * @param {Bounds} bounds
 * @param {number} nowMs
 */
export function seriesEnd({ toMs }, nowMs) {
  return toMs ?? minute(nowMs) + MINUTE_MS;
}
