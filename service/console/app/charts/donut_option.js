import { STATUSES } from "../core/address.js";
import { decalOf } from "./patterns.js";

/** @typedef {import("../types.d.ts").Counts} Counts */
/** @typedef {import("../types.d.ts").Status} Status */
/** @typedef {import("./look.js").Look} Look */

const FADED = 0.25;

/**
 * What a ring of states shows.
 *
 * @typedef {object} Ring
 * @property {Counts} counts
 * @property {Status | null} status The one that stands out.
 * @property {boolean} hasPatterns
 */

/**
 * Returns the states that have jobs: a slice each.
 *
 * @param {Counts} counts
 */
export function slicesOf(counts) {
  return STATUSES.filter((status) => counts[status] > 0);
}

/**
 * Returns the option of ECharts.
 *
 * @param {Ring} ring
 * @param {Look} look
 * @param {boolean} isStill
 */
export function donutOption({ counts, status, hasPatterns }, look, isStill) {
  const slices = slicesOf(counts);
  const data = slices.map((each) => ({
    name: each,
    value: counts[each],
    itemStyle: {
      color: look.statuses[each],
      opacity: status === null || status === each ? 1 : FADED,
      decal: hasPatterns ? decalOf(each, look) : { symbol: "none" },
    },
  }));
  return {
    animation: !isStill,
    animationDuration: 200,
    animationDurationUpdate: 200,
    series: {
      id: "states",
      type: "pie",
      radius: ["64%", "94%"],
      data,
      minAngle: 3,
      label: { show: false },
      labelLine: { show: false },
      emphasis: { scaleSize: 3 },
      itemStyle: { borderColor: look.surface, borderWidth: 2 },
      emptyCircleStyle: { color: look.line },
    },
  };
}
