import { decalOf, partialDecal } from "./patterns.js";
import { tooltipOption } from "./tooltip.js";

/** @typedef {import("../types.d.ts").Point} Point */
/** @typedef {import("../types.d.ts").Status} Status */
/** @typedef {import("./look.js").Look} Look */

const MOST_ANIMATED = 100; // points; more would stutter
const PARTIAL = 0.7;

/**
 * What a trend shows.
 *
 * @typedef {object} Trend
 * @property {readonly Point[]} points
 * @property {readonly Status[]} statuses Stacked in this order.
 * @property {boolean} isBytes Bytes are shown, and no states.
 * @property {ReadonlyMap<number, string>} axisTexts
 * @property {boolean} hasPatterns
 * @property {(value: number) => string} size Of jobs or bytes, in short.
 * @property {(index: number) => HTMLElement} content Of the tooltip of a point.
 */

/**
 * Returns the option of ECharts. A point that is not whole is hatched.
 *
 * @param {Trend} trend
 * @param {Look} look
 * @param {boolean} isStill
 */
export function trendOption(trend, look, isStill) {
  const { points, statuses, isBytes, axisTexts, hasPatterns, size, content } = trend;
  const hasText = (/** @type {number} */ index) => axisTexts.has(index);
  return {
    animation: !isStill && points.length <= MOST_ANIMATED,
    animationDuration: 200,
    animationDurationUpdate: 200,
    tooltip: tooltipOption(content, { trigger: "axis", axisPointer: { type: "shadow" } }),
    grid: { left: 4, right: 12, top: 12, bottom: 4, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
    xAxis: {
      type: "category",
      data: points.map((_, index) => String(index)),
      axisLine: { lineStyle: { color: look.line } },
      axisTick: { interval: hasText, lineStyle: { color: look.quiet } },
      axisLabel: {
        interval: hasText,
        hideOverlap: true,
        color: look.quiet,
        fontFamily: look.font,
        formatter: (/** @type {string} */ index) => axisTexts.get(Number(index)) ?? "",
      },
    },
    yAxis: {
      type: "value",
      minInterval: 1,
      splitNumber: 4,
      splitLine: { lineStyle: { color: look.line } },
      axisLabel: { color: look.quiet, fontFamily: look.font, formatter: size },
    },
    series:
      isBytes
        ? [bars("input", points.map(({ inputBytes }) => Number(inputBytes)), look.input, null, trend, look)]
        : statuses.map((status) => {
            const decal = hasPatterns ? decalOf(status, look) : null;
            return bars(status, points.map((point) => point[status]), look.statuses[status], decal, trend, look);
          }),
  };
}

/**
 * @param {string} id
 * @param {number[]} values
 * @param {string} color
 * @param {object | null} decal
 * @param {Trend} trend
 * @param {Look} look
 */
function bars(id, values, color, decal, { points }, look) {
  const partial = { opacity: PARTIAL, decal: decal ?? partialDecal(look) };
  return {
    id,
    type: "bar",
    stack: "all",
    barCategoryGap: points.length > 200 ? "0%" : "20%",
    cursor: "crosshair",
    emphasis: { disabled: true },
    itemStyle: { color, ...(decal && { decal }) },
    // No bar for nothing: with 2,000 points most states have none in most of them.
    data: values.map((value, index) => {
      if (value === 0) return "-";
      return points[index]?.isPartial ? { value, itemStyle: partial } : value;
    }),
  };
}
