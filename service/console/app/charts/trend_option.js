import { decalOf, partialDecal } from "./patterns.js";

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
 */

/**
 * Returns the option of ECharts. A point that is not whole is hatched.
 *
 * @param {Trend} trend
 * @param {Look} look
 * @param {boolean} isStill
 */
export function trendOption(trend, look, isStill) {
  const { points, statuses, isBytes, axisTexts, hasPatterns, size } = trend;
  const hasText = (/** @type {number} */ index) => axisTexts.has(index);
  return {
    animation: !isStill && points.length <= MOST_ANIMATED,
    animationDuration: 200,
    animationDurationUpdate: 200,
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
        fontSize: look.fontPx,
        formatter: (/** @type {string} */ index) => axisTexts.get(Number(index)) ?? "",
      },
    },
    yAxis: {
      type: "value",
      minInterval: 1,
      splitNumber: 4,
      splitLine: { lineStyle: { color: look.line } },
      axisLabel: { color: look.quiet, fontFamily: look.font, fontSize: look.fontPx, formatter: size },
    },
    series: isBytes
      ? bars("input", points.map(({ inputBytes }) => Number(inputBytes)), look.input, null, trend, look)
      : statuses.flatMap((status) => {
          const decal = hasPatterns ? decalOf(status, look) : null;
          return bars(status, points.map((point) => point[status]), look.statuses[status], decal, trend, look);
        }),
  };
}

/**
 * Returns the bars of whole points and those of others, each as a series. A series of many is one path to ECharts, drawn
 * at once: so all bars of it look alike.
 *
 * @param {string} id
 * @param {number[]} values
 * @param {string} color
 * @param {object | null} decal
 * @param {Trend} trend
 * @param {Look} look
 */
function bars(id, values, color, decal, { points }, look) {
  const some = (/** @type {boolean} */ isPartial) => {
    return values.map((value, index) => (value > 0 && points[index]?.isPartial === isPartial ? value : "-"));
  };
  const series = {
    type: "bar",
    stack: "all",
    large: true,
    silent: true,
    barCategoryGap: points.length > 200 ? "0%" : "20%",
    itemStyle: { color, ...(decal && { decal }) },
  };
  const partial = { color, opacity: PARTIAL, decal: decal ?? partialDecal(look) };
  return [
    { ...series, id, data: some(false) },
    { ...series, id: `${id} partial`, itemStyle: partial, data: some(true) },
  ];
}
