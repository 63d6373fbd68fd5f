import { isoText } from "./times.js";
import { tooltip } from "./tooltip.js";

/** @typedef {import("../types.d.ts").Point} Point */
/** @typedef {import("../types.d.ts").Status} Status */
/** @typedef {import("../words/format.js").Format} Format */

/**
 * Returns what the tooltip of a point shows, with all digits.
 *
 * @param {Point | undefined} point
 * @param {readonly Status[]} statuses
 * @param {Format} format
 */
export function contentOf(point, statuses, format) {
  if (!point) return tooltip("", []);
  const { t } = format;
  const lines = statuses
    .filter((status) => point[status] > 0)
    .map((status) => ({ mark: status, name: t(`status.${status}`), value: format.number(point[status]) }));
  const title = format.bounds({ fromMs: point.startMs, toMs: point.endMs });
  const input = { name: t("input"), value: format.exactBytes(point.inputBytes) };
  return tooltip(title, [...lines, input], point.isPartial ? t("trend.is_partial") : undefined);
}

/**
 * Returns what is saved of a trend: a row for each point.
 *
 * @param {readonly Point[]} points
 * @param {readonly Status[]} statuses None: bytes alone.
 * @param {string} timeZone
 */
export function rowsOf(points, statuses, timeZone) {
  const figures = statuses.length === 0 ? ["input_size"] : statuses.map((status) => `${status}_num`);
  return {
    header: ["start", "end", "start_ms", "end_ms", "is_partial", ...figures],
    rows: points.map((point) => [
      isoText(point.startMs, timeZone),
      isoText(point.endMs, timeZone),
      point.startMs,
      point.endMs,
      point.isPartial,
      ...(statuses.length === 0 ? [point.inputBytes] : statuses.map((status) => point[status])),
    ]),
  };
}
