import { html } from "../../vendor/lit-html/lit-html.js";
import { axisTexts } from "../charts/times.js";
import { contentOf, rowsOf } from "../charts/trend_data.js";
import { trendOption } from "../charts/trend_option.js";
import { STATUSES } from "../core/address.js";
import { formatOf } from "../words/format.js";
import { chartFrame } from "./chart_frame.js";
import { trendTable } from "./trend_table.js";
import { trendTools } from "./trend_tools.js";

/** @typedef {import("../types.d.ts").Actions} Actions */
/** @typedef {import("../types.d.ts").Point} Point */
/** @typedef {import("../types.d.ts").Series} Series */
/** @typedef {import("../types.d.ts").Shown} Shown */
/** @typedef {import("../types.d.ts").Status} Status */
/** @typedef {import("../words/format.js").Format} Format */
/** @typedef {import("./trend.js").Measure} Measure */
/** @typedef {{ is: Measure, set: (measure: Measure) => void }} Measuring */

/**
 * Returns the trend of a series. A click on a point, or a span that is drawn, becomes the range.
 *
 * @param {Shown} shown
 * @param {Series} series
 * @param {Measuring} measure
 * @param {Actions} actions
 */
export function trendFrame(shown, series, measure, actions) {
  const { view } = shown;
  const { points } = series;
  const format = formatOf(view);
  const { t } = format;
  const statuses = measure.is === "bytes" ? [] : STATUSES.filter((status) => view.status === null || view.status === status);
  const seen = statuses.filter((status) => points.some((point) => point[status] > 0));
  const zoom = (/** @type {number} */ first, /** @type {number} */ last) => zoomTo(points, first, last, actions);
  return chartFrame(shown, {
    name: "trend",
    asOfMs: series.asOfMs,
    caption: captionOf(series, measure.is, view.hasPatterns, format),
    tools: trendTools(shown, series, measure, actions),
    drawing: {
      option: (look, isStill, width) =>
        trendOption(
          {
            points,
            statuses: seen,
            isBytes: measure.is === "bytes",
            axisTexts: axisTexts(points, width, view.timeZone, view.language),
            hasPatterns: view.hasPatterns,
            size: (value) => (measure.is === "bytes" ? format.bytes(BigInt(Math.round(value))) : format.number(value)),
          },
          look,
          isStill,
        ),
      content: (index) => contentOf(points[index], statuses, format),
      along: "x",
      onPick: (index) => zoom(index, index),
      onSpan: zoom,
    },
    legend: seen.map((status) => ({ status, text: t(`status.${status}`) })),
    beside: html`
      <ul class="chart-marks ${view.hasPatterns ? "has-patterns" : ""}">
        ${seen.map((status) => html`<li><span class="chart-mark ${status}" aria-hidden="true"></span>${t(`status.${status}`)}</li>`)}
      </ul>
      <p class="hint">${t("trend.hint")}</p>
    `,
    table: () => trendTable({ points, statuses, format, zoom }),
    data: () => rowsOf(points, statuses, view.timeZone),
  });
}

/**
 * @param {Series} series
 * @param {Measure} measure
 * @param {boolean} hasPatterns
 * @param {Format} format
 */
function captionOf({ points, interval }, measure, hasPatterns, { t }) {
  const caption = t(`trend.caption.${measure}`, { interval: t(`interval.${interval}`) });
  if (!points.some(({ isPartial }) => isPartial)) return caption;
  return `${caption} · ${t(hasPatterns && measure === "jobs" ? "trend.pale" : "trend.hatched")}`;
}

/**
 * @param {readonly Point[]} points
 * @param {number} first
 * @param {number} last
 * @param {Actions} actions
 */
function zoomTo(points, first, last, actions) {
  const [from, to] = [points[Math.max(first, 0)], points[Math.min(last, points.length - 1)]];
  // An interval that was chosen for a longer range would leave a bar or two.
  if (from && to) actions.see({ range: { fromMs: from.startMs, toMs: to.endMs }, interval: null });
}
