import { html } from "../../vendor/lit-html/lit-html.js";
import { guard } from "../../vendor/lit-html/directives/guard.js";
import { PRESETS } from "../core/address.js";
import { boundsOf, seriesEnd } from "../core/ranges.js";
import { instantsOf, wallText } from "../core/zones.js";
import { words } from "../words/words.js";

/** @typedef {import("../types.d.ts").Part} Part */
/** @typedef {import("../types.d.ts").Range} Range */
/** @typedef {import("../types.d.ts").View} View */

/** When the jobs started that count. @type {Part} */
export const range = (state, actions) => {
  const { nowMs, view } = state;
  const t = words(view.language);
  return html`
    <fieldset class="range">
      <legend>${t("range.title")}</legend>
      <div class="switch">
        ${PRESETS.map(
          (preset) => html`
            <button
              type="button"
              aria-pressed=${"preset" in view.range && view.range.preset === preset ? "true" : "false"}
              @click=${() => (say(""), actions.see({ range: { preset } }))}
            >
              ${t(`range.${preset}`)}
            </button>
          `,
        )}
      </div>
      ${guard([view.range, view.timeZone, view.language], () => ownRange(view, nowMs, actions))}
    </fieldset>
  `;
};

/**
 * The bounds as a person writes them. It is rendered anew with another view alone: what is being typed stays.
 *
 * @param {View} view
 * @param {number} nowMs
 * @param {import("../types.d.ts").Actions} actions
 */
function ownRange(view, nowMs, actions) {
  const t = words(view.language);
  const { timeZone } = view;
  const bounds = boundsOf(view.range, nowMs);
  const isOpen = bounds.fromMs === null;
  const apply = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const [from, to] = [valueOf("from"), valueOf("to")];
    const read = readRange(from, to, timeZone);
    if (typeof read !== "string") actions.see({ range: read });
    say(typeof read === "string" ? t(read) : "");
  };
  return html`
    <form class="own" novalidate @submit=${apply}>
      ${bound("from", t("range.from"), isOpen ? "" : wallText(bounds.fromMs ?? 0, timeZone))}
      ${bound("to", t("range.to"), isOpen ? "" : wallText(seriesEnd(bounds, nowMs), timeZone))}
      <button type="submit">${t("range.apply")}</button>
      <p class="problem" id="range-problem" role="alert"></p>
    </form>
  `;
}

/**
 * @param {string} id
 * @param {string} name
 * @param {string} text
 */
function bound(id, name, text) {
  return html`
    <label for=${id}>${name}</label>
    <input
      id=${id}
      type="datetime-local"
      step="any"
      .value=${text}
      aria-describedby="range-problem"
      @input=${() => say("")}
    />
  `;
}

/**
 * Returns the range that a person wrote, or the key of what is wrong with it. A time that the clock shows twice is the
 * first for the start, and the second for the end: so no job of that hour is left out.
 *
 * @param {string} from
 * @param {string} to
 * @param {string} timeZone
 * @returns {Range | "range.not_a_time" | "range.reversed" | "range.too_early"}
 */
export function readRange(from, to, timeZone) {
  const fromMs = instantsOf(from, timeZone).at(0);
  const toMs = instantsOf(to, timeZone).at(-1);
  if (fromMs === undefined || toMs === undefined) return "range.not_a_time";
  if (fromMs < 0) return "range.too_early";
  return fromMs < toMs ? { fromMs, toMs } : "range.reversed";
}

/** @param {string} id */
function valueOf(id) {
  return /** @type {HTMLInputElement} */ (document.getElementById(id)).value;
}

/** @param {string} problem */
function say(problem) {
  const place = document.getElementById("range-problem");
  if (place) place.textContent = problem;
  for (const id of ["from", "to"]) document.getElementById(id)?.setAttribute("aria-invalid", problem ? "true" : "false");
}

