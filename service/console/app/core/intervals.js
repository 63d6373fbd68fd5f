import { INTERVALS } from "./address.js";

/** @typedef {import("../types.d.ts").Interval} Interval */

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/** The most points that the service answers. */
export const MOST_POINTS = 2000;

/** The most points that the page asks for unless a person chooses: more are bars of a pixel. */
const MOST_SEEN = 200;

/** The shortest that an interval may be. @type {Record<Interval, number>} */
const SHORTEST_MS = {
  "1m": MINUTE_MS,
  "5m": 5 * MINUTE_MS,
  "15m": 15 * MINUTE_MS,
  "1h": 60 * MINUTE_MS,
  "6h": 6 * 60 * MINUTE_MS,
  "1d": DAY_MS,
  "1w": 7 * DAY_MS,
  "1M": 28 * DAY_MS,
};

/**
 * Returns the intervals of which a span has no more points than the service answers. The first and the last point may be
 * cut, and where a clock is changed there may be more than in other days.
 *
 * @param {number} spanMs
 */
export function fittingIntervals(spanMs) {
  return INTERVALS.filter((interval) => spanMs / SHORTEST_MS[interval] + 4 <= MOST_POINTS);
}

/**
 * Returns the finest interval of which a span has few enough points to tell them apart.
 *
 * @param {number} spanMs
 * @returns {Interval}
 */
export function calmInterval(spanMs) {
  return INTERVALS.find((interval) => spanMs / SHORTEST_MS[interval] <= MOST_SEEN) ?? "1M";
}
