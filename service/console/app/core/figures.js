import { STATUSES } from "./address.js";

/** @typedef {import("../types.d.ts").Counts} Counts */
/** @typedef {import("../types.d.ts").Statistics} Statistics */

/**
 * Returns the figures of one user, or of all. Users of one name count together. Who is not there has zeros.
 *
 * @param {Statistics} statistics
 * @param {string | null} user
 * @returns {Counts}
 */
export function countsOf(statistics, user) {
  if (user === null || statistics.users === null) return statistics.totals;
  return sum(statistics.users.filter((row) => row.name === user));
}

/**
 * @param {readonly Counts[]} rows
 * @returns {Counts}
 */
export function sum(rows) {
  /** @type {Counts} */
  const counts = { launching: 0, running: 0, canceling: 0, failed: 0, finished: 0, cancelled: 0, inputBytes: 0n };
  for (const row of rows) {
    for (const status of STATUSES) counts[status] += row[status];
    counts.inputBytes += row.inputBytes;
  }
  return counts;
}

/**
 * Returns how many jobs there are in all states.
 *
 * @param {Counts} counts
 */
export function jobsOf(counts) {
  return STATUSES.reduce((jobs, status) => jobs + counts[status], 0);
}

/**
 * Returns the difference to what was before, and its share of that; null where nothing was.
 *
 * @template {number | bigint} T
 * @param {T} now
 * @param {T} before
 * @returns {{ by: T, share: number | null }}
 */
export function difference(now, before) {
  const by = /** @type {T} */ (/** @type {any} */ (now) - /** @type {any} */ (before));
  return { by, share: before > 0 ? Number(by) / Number(before) : null };
}
