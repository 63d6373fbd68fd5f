import { jobsOf } from "./figures.js";
import { calmInterval } from "./intervals.js";
import { boundsBefore, boundsOf, seriesEnd } from "./ranges.js";

/** @typedef {import("./api.js").Api} Api */
/** @typedef {import("./api.js").Asking} Asking */
/** @typedef {import("../types.d.ts").Bounds} Bounds */
/** @typedef {import("../types.d.ts").Caller} Caller */
/** @typedef {import("../types.d.ts").Series} Series */
/** @typedef {import("../types.d.ts").Shown} Shown */
/** @typedef {import("../types.d.ts").View} View */

/**
 * Asks for all that is to be seen of a view. The three questions are asked side by side; `onFirst` gets the statistics
 * as soon as they are there. Throws an ApiError where one has failed: a page of two instants would be none.
 *
 * @param {Api} api
 * @param {Caller} caller
 * @param {View} view
 * @param {number} nowMs
 * @param {Asking} asking
 * @param {(first: Shown) => void} onFirst
 * @returns {Promise<Shown>}
 */
export async function ask(api, caller, view, nowMs, asking, onFirst) {
  const bounds = boundsOf(view.range, nowMs);
  const earlier = boundsBefore(view.range, bounds);
  const statistics = api.statistics(caller.projectId, bounds, asking);
  const first = statistics.then((answer) => onFirst({ view, bounds, statistics: answer, before: null, series: null }));
  const [answer, before, series] = await Promise.all([
    statistics,
    earlier && api.statistics(caller.projectId, earlier, asking),
    askSeries(api, caller, view, bounds, nowMs, asking),
    first,
  ]);
  return { view, bounds, statistics: answer, before, series };
}

/**
 * Returns the series of a view. Of all time the months are asked first, then what is from the first with a job on.
 *
 * @param {Api} api
 * @param {Caller} caller
 * @param {View} view
 * @param {Bounds} bounds
 * @param {number} nowMs
 * @param {Asking} asking
 * @returns {Promise<Series>}
 */
async function askSeries(api, { projectId, isAdministrator }, view, bounds, nowMs, asking) {
  const question = {
    fromMs: bounds.fromMs ?? 0,
    toMs: seriesEnd(bounds, nowMs),
    interval: view.interval,
    timeZone: view.timeZone,
    user: isAdministrator ? view.user : null,
  };
  const cut = (/** @type {number} */ fromMs) =>
    api.series(projectId, { ...question, fromMs, interval: view.interval ?? calmInterval(question.toMs - fromMs) }, asking);
  if (bounds.fromMs !== null) return cut(bounds.fromMs);
  const months = await api.series(projectId, { ...question, interval: "1M" }, asking);
  const first = months.points.find((point) => jobsOf(point) > 0);
  if (!first || view.interval === "1M") return months;
  return cut(first.startMs);
}
