import { jobsOf } from "./figures.js";
import { calmInterval, fittingIntervals } from "./intervals.js";
import { boundsBefore, seriesEnd } from "./ranges.js";

/** @typedef {import("./api.js").Api} Api */
/** @typedef {import("./api.js").Asking} Asking */
/** @typedef {import("../types.d.ts").Bounds} Bounds */
/** @typedef {import("../types.d.ts").Caller} Caller */
/** @typedef {import("../types.d.ts").Series} Series */
/** @typedef {import("../types.d.ts").Shown} Shown */
/** @typedef {import("../types.d.ts").View} View */

/**
 * Asks for all that is to be seen of a view. The three questions are asked side by side; `onFirst` gets the statistics
 * as soon as they are there. Where nobody waits for them (no `onFirst`) they are asked last: a stream may bring newer
 * ones meanwhile, and what is seen must not go back. Throws an ApiError where one has failed: a page of two instants
 * would be none.
 *
 * @param {Api} api
 * @param {Caller} caller
 * @param {View} view
 * @param {Bounds} bounds
 * @param {number} nowMs
 * @param {Asking} asking
 * @param {((first: Shown) => void) | null} onFirst
 * @returns {Promise<Shown>}
 */
export async function ask(api, caller, view, bounds, nowMs, asking, onFirst) {
  const earlier = boundsBefore(view.range, bounds);
  const askStatistics = () => api.statistics(caller.projectId, bounds, asking);
  const first = onFirst && askStatistics(); // before all others: a person waits for it
  const rest = Promise.all([
    earlier && api.statistics(caller.projectId, earlier, asking),
    askSeries(api, caller, view, bounds, nowMs, asking),
  ]);
  const told = first?.then((statistics) => onFirst?.({ view, bounds, statistics, before: null, series: null }));
  const [[before, series], early] = await Promise.all([rest, first, told]);
  return { view, bounds, statistics: early ?? (await askStatistics()), before, series };
}

/**
 * Returns the series of a view; null of a range that is too long for any. Of all time the months are asked first, then
 * what is from the first with a job on. An interval that was chosen for a shorter range is not asked of a longer one.
 *
 * @param {Api} api
 * @param {Caller} caller
 * @param {View} view
 * @param {Bounds} bounds
 * @param {number} nowMs
 * @param {Asking} asking
 * @returns {Promise<Series | null>}
 */
async function askSeries(api, { projectId, isAdministrator }, view, bounds, nowMs, asking) {
  const question = {
    fromMs: bounds.fromMs ?? 0,
    toMs: seriesEnd(bounds, nowMs),
    interval: view.interval,
    timeZone: view.timeZone,
    user: isAdministrator ? view.user : null,
  };
  const cut = (/** @type {number} */ fromMs) => {
    const spanMs = question.toMs - fromMs;
    const fitting = fittingIntervals(spanMs);
    const interval = fitting.find((each) => each === view.interval) ?? calmInterval(spanMs);
    return fitting.length > 0 ? api.series(projectId, { ...question, fromMs, interval }, asking) : null;
  };
  if (bounds.fromMs !== null) return cut(bounds.fromMs);
  const months = await api.series(projectId, { ...question, interval: "1M" }, asking);
  const first = months.points.find((point) => jobsOf(point) > 0);
  if (!first || view.interval === "1M") return months;
  return cut(first.startMs);
}
