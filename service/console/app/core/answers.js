import { STATUSES } from "./address.js";

/** @typedef {import("../types.d.ts").Answered} Answered */
/** @typedef {import("../types.d.ts").Counts} Counts */
/** @typedef {import("../types.d.ts").Series} Series */
/** @typedef {import("../types.d.ts").Statistics} Statistics */

// In JSON a quote within a text has a backslash before it: so nothing but a key matches.
const BYTES = /("(?:total_)?input_size"\s*:\s*)(\d+)/g;

/**
 * Parses JSON of the service. Bytes become texts, since a number of JavaScript cannot hold all of them.
 *
 * @param {string} text
 * @returns {any}
 */
export function parse(text) {
  return JSON.parse(text.replace(BYTES, '$1"$2"'));
}

/**
 * @param {any} body
 * @param {string} prefix
 * @returns {Counts}
 */
function countsOf(body, prefix = "") {
  /** @type {any} */
  const counts = { inputBytes: BigInt(body[`${prefix}input_size`]) };
  for (const status of STATUSES) counts[status] = body[`${prefix}${status}_num`];
  return counts;
}

/**
 * Returns statistics as the parts of the page have them.
 *
 * @param {any} body As `parse` returns it.
 * @param {number} asOfMs
 * @param {Partial<Answered>} [answered] What the headers say beside.
 * @returns {Statistics}
 */
export function toStatistics(body, asOfMs, answered = {}) {
  const users = body.users?.map((/** @type {any} */ row) => ({ ...countsOf(row), name: row.user_name })) ?? null;
  const { horizonMs = null, gaps = 0 } = answered;
  return { users, totals: countsOf(body, "total_"), userNumber: body.total_user_num, asOfMs, horizonMs, gaps };
}

/**
 * Returns a series as the parts of the page have it.
 *
 * @param {any} body As `parse` returns it.
 * @param {Answered} answered What the headers say.
 * @returns {Series}
 */
export function toSeries(body, answered) {
  const points = body.points.map((/** @type {any} */ point) => ({
    ...countsOf(point),
    startMs: point.start,
    endMs: point.end,
    isPartial: point.is_partial,
  }));
  return { ...answered, interval: body.interval, timeZone: body.time_zone, points };
}

/**
 * Returns what the headers of an answer say beside its figures.
 *
 * @param {Headers} headers
 * @returns {Answered}
 */
export function answeredOf(headers) {
  const number = (/** @type {string} */ name) => (headers.has(name) ? Number(headers.get(name)) : null);
  return {
    asOfMs: number("X-Statistics-As-Of") ?? 0,
    horizonMs: number("X-Statistics-Horizon"),
    gaps: number("X-Statistics-Gaps") ?? 0,
  };
}
