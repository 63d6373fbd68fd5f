import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { STATUSES } from "../core/address.js";
import { countsOf, difference, jobsOf } from "../core/figures.js";
import { boundsBefore } from "../core/ranges.js";
import { formatOf } from "../words/format.js";
import { exactBytes } from "./exact.js";
import "./live_figure.js";

/** @typedef {import("../types.d.ts").Counts} Counts */
/** @typedef {import("../types.d.ts").Part} Part */
/** @typedef {import("../types.d.ts").Shown} Shown */
/** @typedef {import("../types.d.ts").Status} Status */
/** @typedef {import("../words/format.js").Format} Format */

/** How many jobs are in which state and the bytes of their input, each beside the period before. @type {Part} */
export const figures = (state, actions) => {
  const { shown, view } = state;
  const format = formatOf(view);
  const { t } = format;
  const now = shown && countsOf(shown.statistics, shown.view.user);
  const before = shown?.before ? countsOf(shown.before, shown.view.user) : null;
  return html`
    <section class="figures" aria-labelledby="figures-title">
      <div class="title">
        <h2 id="figures-title">${t("figures.title")}</h2>
        <p class="summary">${shown && now ? summary(shown, now, format) : nothing}</p>
      </div>
      <ul>
        ${STATUSES.map(
          (status) => html`
            <li>
              <button
                class="figure"
                data-status=${status}
                aria-pressed=${view.status === status ? "true" : "false"}
                @click=${() => actions.see({ status: view.status === status ? null : status })}
              >
                <span class="label"><span class="swatch" aria-hidden="true"></span>${t(`status.${status}`)}</span>
                <span class="value">${shown && now ? live(now[status], format.number(now[status]), shown) : skeleton()}</span>
                ${now && before ? change(now[status], before[status], format) : html`<span class="change"></span>`}
              </button>
            </li>
          `,
        )}
        <li>
          <div class="figure input">
            <span class="label">${t("input")}</span>
            <span class="value">${now ? exactBytes(now.inputBytes, format) : skeleton()}</span>
            ${now && before ? change(now.inputBytes, before.inputBytes, format) : html`<span class="change"></span>`}
          </div>
        </li>
      </ul>
      <p class="caption">${shown ? caption(shown, format) : t("loading.figures")}</p>
    </section>
  `;
};

/**
 * @param {Shown} shown
 * @param {Counts} now
 * @param {Format} format
 */
function summary(shown, now, { t }) {
  const jobs = t("figures.jobs", { n: jobsOf(now) });
  const { statistics, view } = shown;
  if (statistics.users === null) return jobs;
  return view.user === null ? `${jobs} · ${t("figures.users", { n: statistics.userNumber })}` : `${jobs} · ${view.user}`;
}

/**
 * @param {Shown} shown
 * @param {Format} format
 */
function caption({ bounds, before, view }, format) {
  const { t } = format;
  const earlier = boundsBefore(view.range, bounds);
  const compared = earlier
    ? before && t("figures.before", { bounds: format.bounds(earlier) })
    : t("figures.no_before");
  const zone = format.zone(bounds.fromMs ?? Date.now());
  return [format.bounds(bounds), zone, t("figures.caption"), compared].filter(Boolean).join(" · ");
}

/**
 * @template {number | bigint} T
 * @param {T} now
 * @param {T} before
 * @param {Format} format
 */
function change(now, before, format) {
  const { by, share } = difference(now, before);
  const arrow = by > 0 ? "▲" : by < 0 ? "▼" : "";
  const text = Number(by) === 0 ? format.t("figures.same") : format.change(by);
  const beside = Number(by) === 0 ? "" : share === null ? format.t("figures.new") : format.share(share);
  return html`
    <span class="change">
      ${arrow ? html`<span class="arrow" aria-hidden="true">${arrow}</span>` : nothing} ${text}
      ${beside ? html`<span class="share">${beside}</span>` : nothing}
    </span>
  `;
}

/**
 * @param {number} value
 * @param {string} text
 * @param {Shown} shown
 */
function live(value, text, { view }) {
  const question = JSON.stringify([view.range, view.user]);
  return html`<console-figure .figure=${{ value, text, question }}></console-figure>`;
}

function skeleton() {
  return html`<span class="skeleton" aria-hidden="true"></span>`;
}
