import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { STATUSES } from "../core/address.js";
import { countsOf } from "../core/figures.js";
import { formatOf } from "../words/format.js";
import { asOf, howOld } from "./as_of.js";
import { donut } from "./donut.js";
import "./live_figure.js";
import { notes } from "./notes.js";
import { trend } from "./trend.js";
import "./wall_keeper.js";

/** @typedef {import("../types.d.ts").Part} Part */
/** @typedef {import("../types.d.ts").Shown} Shown */
/** @typedef {import("../words/format.js").Format} Format */

/** The figures for a screen on a wall: large, without controls. The last good ones stay, with their age. @type {Part} */
export const wall = (state, actions) => {
  const { caller, shown, stream, view } = state;
  const format = formatOf(view);
  const { t } = format;
  return html`
    <main id="main" class="wall" tabindex="-1">
      <header>
        <div>
          <h1>${t("page.title")}</h1>
          <p>${[caller?.projectId, shown?.view.user, ...(shown ? spanOf(shown, format) : [])].filter(Boolean).join(" · ")}</p>
        </div>
        ${asOf(state, actions)}
      </header>
      ${howOld(state) === "stale" ? html`<p class="note bad">${t("wall.stale")}</p>` : nothing}
      ${stream === "broken" ? html`<p class="note">${t("live.broken")}</p>` : nothing} ${notes(state, actions)}
      ${shown ? figures(shown, format) : html`<p class="hint">${t("loading.figures")}</p>`}
      <div class="wall-charts" inert>
        <div class="area">${donut(state, actions)}</div>
        <div class="area">${trend(state, actions)}</div>
      </div>
      <console-wall .leave=${() => actions.see({ isWall: false })}>${t("wall.leave")}</console-wall>
    </main>
  `;
};

/**
 * @param {Shown} shown
 * @param {Format} format
 */
function spanOf({ bounds, statistics }, format) {
  return [format.bounds(bounds), format.zone(bounds.fromMs ?? statistics.asOfMs)];
}

/**
 * @param {Shown} shown
 * @param {Format} format
 */
function figures({ statistics, view }, format) {
  const { t } = format;
  const counts = countsOf(statistics, view.user);
  const question = JSON.stringify([view.range, view.user]);
  return html`
    <ul class="wall-figures">
      ${STATUSES.map(
        (status) => html`
          <li data-status=${status} class=${view.status === null || view.status === status ? "" : "is-beside"}>
            <span class="label"><span class="swatch" aria-hidden="true"></span>${t(`status.${status}`)}</span>
            <console-figure
              .figure=${{ value: counts[status], text: format.number(counts[status]), question }}
            ></console-figure>
          </li>
        `,
      )}
      <li class="input">
        <span class="label">${t("input")}</span>
        <console-figure
          title=${format.exactBytes(counts.inputBytes)}
          .figure=${{ value: counts.inputBytes, text: format.bytes(counts.inputBytes), question }}
        ></console-figure>
      </li>
    </ul>
  `;
}
