import { LAST_WRITTEN_MS, zoneNamed } from "./zones.js";

/** @typedef {import("../types.d.ts").View} View */
/** @typedef {import("../types.d.ts").Range} Range */

/** @type {readonly import("../types.d.ts").Preset[]} */
export const PRESETS = ["24h", "7d", "30d", "1y", "all"];
/** @type {readonly import("../types.d.ts").Status[]} */
export const STATUSES = ["launching", "running", "canceling", "failed", "finished", "cancelled"];
/** @type {readonly import("../types.d.ts").Interval[]} */
export const INTERVALS = ["1m", "5m", "15m", "1h", "6h", "1d", "1w", "1M"];
/** @type {readonly import("../types.d.ts").Language[]} */
export const LANGUAGES = ["en", "zh"];

const LONGEST_NAME = 128;

/**
 * Returns what an address says is to be seen. What it does not say, or says wrongly, is as in `usual`.
 *
 * @param {string} search The query of the address.
 * @param {View} usual
 * @returns {View}
 */
export function readView(search, usual) {
  const query = new URLSearchParams(search);
  const user = query.get("user");
  return {
    range: rangeOf(query) ?? usual.range,
    user: user && user.length <= LONGEST_NAME ? user : null,
    status: oneOf(STATUSES, query.get("state")),
    interval: oneOf(INTERVALS, query.get("interval")),
    timeZone: zoneNamed(query.get("zone") ?? "") ?? usual.timeZone,
    language: oneOf(LANGUAGES, query.get("lang")) ?? usual.language,
    isWall: query.get("wall") === "1",
    hasPatterns: query.get("patterns") === "1",
  };
}

/**
 * Returns the query of an address that says what is seen: all of it that a colleague needs, and never a token.
 *
 * @param {View} view
 * @returns {string}
 */
export function writeView(view) {
  const { range } = view;
  const query = new URLSearchParams(
    "preset" in range ? { range: range.preset } : { from: String(range.fromMs), to: String(range.toMs) },
  );
  if (view.user !== null) query.set("user", view.user);
  if (view.status) query.set("state", view.status);
  if (view.interval) query.set("interval", view.interval);
  query.set("zone", view.timeZone);
  query.set("lang", view.language);
  if (view.isWall) query.set("wall", "1");
  if (view.hasPatterns) query.set("patterns", "1");
  return `?${query}`;
}

/**
 * @param {URLSearchParams} query
 * @returns {Range | null}
 */
function rangeOf(query) {
  const preset = oneOf(PRESETS, query.get("range"));
  if (preset) return { preset };
  const [fromMs, toMs] = [instant(query.get("from")), instant(query.get("to"))];
  return fromMs !== null && toMs !== null && fromMs < toMs ? { fromMs, toMs } : null;
}

/**
 * @param {string | null} text
 * @returns {number | null}
 */
function instant(text) {
  if (!text || !/^\d{1,16}$/.test(text)) return null;
  const ms = Number(text);
  return ms <= LAST_WRITTEN_MS ? ms : null;
}

/**
 * @template {string} T
 * @param {readonly T[]} known
 * @param {string | null} text
 * @returns {T | null}
 */
function oneOf(known, text) {
  return known.find((each) => each === text) ?? null;
}
