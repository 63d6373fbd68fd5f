import { html, nothing } from "../../vendor/lit-html/lit-html.js";

/** @typedef {import("../types.d.ts").Point} Point */
/** @typedef {import("../types.d.ts").Status} Status */
/** @typedef {import("../words/format.js").Format} Format */

/**
 * Returns the table beside the trend. Its buttons do what a click on a bar does.
 *
 * @param {readonly Point[]} points
 * @param {readonly Status[]} statuses None: bytes alone.
 * @param {Format} format
 * @param {(first: number, last: number) => void} zoom
 */
export function trendTable(points, statuses, format, zoom) {
  const { t } = format;
  return html`
    <table>
      <caption>${t("trend.title")} · ${format.zone(points[0]?.startMs ?? 0)}</caption>
      <thead>
        <tr>
          <th scope="col">${t("trend.start")}</th>
          <th scope="col">${t("trend.end")}</th>
          <th scope="col">${t("trend.whole")}</th>
          ${statuses.map((status) => html`<th scope="col">${t(`status.${status}`)}</th>`)}
          ${statuses.length === 0 ? html`<th scope="col">${t("input")}</th>` : nothing}
        </tr>
      </thead>
      <tbody>
        ${points.map(
          (point, index) => html`
            <tr>
              <th scope="row"><button @click=${() => zoom(index, index)}>${format.instant(point.startMs)}</button></th>
              <td>${format.instant(point.endMs)}</td>
              <td>${t(point.isPartial ? "trend.no" : "trend.yes")}</td>
              ${statuses.map((status) => html`<td>${format.number(point[status])}</td>`)}
              ${statuses.length === 0 ? html`<td>${format.exactBytes(point.inputBytes)}</td>` : nothing}
            </tr>
          `,
        )}
      </tbody>
    </table>
  `;
}
