import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { guard } from "../../vendor/lit-html/directives/guard.js";
import { donutOption, slicesOf } from "../charts/donut_option.js";
import { tooltip } from "../charts/tooltip.js";
import { STATUSES } from "../core/address.js";
import { countsOf, jobsOf } from "../core/figures.js";
import { formatOf } from "../words/format.js";
import { chartFrame } from "./chart_frame.js";

/** @typedef {import("../types.d.ts").Actions} Actions */
/** @typedef {import("../types.d.ts").Counts} Counts */
/** @typedef {import("../types.d.ts").Part} Part */
/** @typedef {import("../types.d.ts").Shown} Shown */
/** @typedef {import("../types.d.ts").Status} Status */

/** Jobs by state, as a ring. A slice, or its button in the legend, shows that state alone. @type {Part} */
export const donut = ({ shown, theme }, actions) => {
  if (!shown) return nothing;
  return html`${guard([shown.statistics, shown.view, theme], () => frame(shown, actions))}`;
};

/**
 * @param {Shown} shown
 * @param {Actions} actions
 */
function frame(shown, actions) {
  const { view, statistics } = shown;
  const format = formatOf(view);
  const { t } = format;
  const counts = countsOf(statistics, view.user);
  const all = jobsOf(counts);
  const shareOf = (/** @type {Status} */ status) => format.part(all === 0 ? 0 : counts[status] / all);
  const pick = (/** @type {Status | undefined} */ status) => {
    if (status) actions.see({ status: view.status === status ? null : status });
  };
  const contentOf = (/** @type {Status} */ status) => {
    const jobs = t("figures.jobs", { n: counts[status] });
    return tooltip(t(`status.${status}`), [{ mark: status, name: jobs, value: shareOf(status) }]);
  };
  return chartFrame(shown, {
    name: "donut",
    asOfMs: statistics.asOfMs,
    caption: t("figures.caption"),
    middle: { figure: format.number(all), unit: t("donut.unit", { n: all }) },
    drawing: {
      option: (look, isStill) => donutOption({ counts, status: view.status, hasPatterns: view.hasPatterns }, look, isStill),
      content: (index) => contentOf(slicesOf(counts)[index] ?? "finished"),
      onPick: (index) => pick(slicesOf(counts)[index]),
    },
    legend: slicesOf(counts).map((status) => ({ status, text: `${t(`status.${status}`)} ${format.number(counts[status])}` })),
    beside: html`
      <ul class="chart-legend ${view.hasPatterns ? "has-patterns" : ""}">
        ${STATUSES.map(
          (status) => html`
            <li>
              <button aria-pressed=${view.status === status ? "true" : "false"} @click=${() => pick(status)}>
                <span class="chart-mark ${status}" aria-hidden="true"></span>
                <span class="name">${t(`status.${status}`)}</span>
                <span class="value">${format.number(counts[status])}</span>
                <span class="share">${shareOf(status)}</span>
              </button>
            </li>
          `,
        )}
      </ul>
    `,
    table: () => html`
      <table>
        <caption>${t("donut.title")}</caption>
        <thead>
          <tr>
            <th scope="col">${t("chart.state")}</th>
            <th scope="col">${t("chart.jobs")}</th>
            <th scope="col">${t("chart.share")}</th>
          </tr>
        </thead>
        <tbody>
          ${STATUSES.map(
            (status) => html`
              <tr>
                <th scope="row">${t(`status.${status}`)}</th>
                <td>${format.number(counts[status])}</td>
                <td>${shareOf(status)}</td>
              </tr>
            `,
          )}
        </tbody>
      </table>
    `,
    data: () => ({
      header: ["status", "jobs"],
      rows: STATUSES.map((status) => [status, counts[status]]),
    }),
  });
}
