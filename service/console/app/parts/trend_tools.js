import { html } from "../../vendor/lit-html/lit-html.js";
import { fittingIntervals } from "../core/intervals.js";
import { words } from "../words/words.js";

/** @typedef {import("../types.d.ts").Actions} Actions */
/** @typedef {import("../types.d.ts").Interval} Interval */
/** @typedef {import("../types.d.ts").Series} Series */
/** @typedef {import("../types.d.ts").Shown} Shown */
/** @typedef {import("./trend_frame.js").Measuring} Measuring */

/**
 * Returns what chooses between jobs and bytes, and the interval: of those that fit the range.
 *
 * @param {Shown} shown
 * @param {Series} series
 * @param {Measuring} measure
 * @param {Actions} actions
 */
export function trendTools({ view }, { interval, points }, measure, actions) {
  const t = words(view.language);
  const spanMs = (points.at(-1)?.endMs ?? 0) - (points[0]?.startMs ?? 0);
  const choose = (/** @type {Event} */ { target }) => {
    const { value } = /** @type {HTMLSelectElement} */ (target);
    actions.see({ interval: value === "" ? null : /** @type {Interval} */ (value) });
  };
  return html`
    <div class="chart-tools">
      <div role="group" aria-label=${t("trend.measure")}>
        <button aria-pressed=${measure.is === "jobs" ? "true" : "false"} @click=${() => measure.set("jobs")}>${t("trend.jobs")}</button>
        <button aria-pressed=${measure.is === "bytes" ? "true" : "false"} @click=${() => measure.set("bytes")}>${t("input")}</button>
      </div>
      <label for="interval">${t("trend.interval")}</label>
      <select id="interval" @change=${choose}>
        <option value="" .selected=${view.interval === null}>${t("trend.automatic")} (${t(`interval.${interval}`)})</option>
        ${fittingIntervals(spanMs).map(
          (each) => html`<option value=${each} .selected=${view.interval === each}>${t(`interval.${each}`)}</option>`,
        )}
      </select>
    </div>
  `;
}
