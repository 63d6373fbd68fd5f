import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { formatOf } from "../words/format.js";

/** @typedef {import("../types.d.ts").Part} Part */

const LATE_MS = 2 * 60_000;
const STALE_MS = 5 * 60_000;

/**
 * Returns how much the age of the figures is worth a thought.
 *
 * @param {import("../types.d.ts").State} state
 * @returns {"fresh" | "late" | "stale"}
 */
export function howOld({ nowMs, shown }) {
  const asOfMs = shown?.statistics.asOfMs;
  if (asOfMs === undefined) return "fresh";
  const ageMs = nowMs - asOfMs;
  return ageMs >= STALE_MS || asOfMs === 0 ? "stale" : ageMs >= LATE_MS ? "late" : "fresh";
}

/** How old the figures are. It is said to who asks: a screen reader would read it out each second. @type {Part} */
export const asOf = (state) => {
  const { nowMs, shown, view } = state;
  const format = formatOf(view);
  const { t } = format;
  const asOfMs = shown?.statistics.asOfMs ?? null;
  const ageMs = asOfMs ? Math.max(0, nowMs - asOfMs) : 0;
  const how = howOld(state);
  return html`
    <div class="as-of ${shown ? how : ""}" role="status" aria-live="off" aria-label=${t("as_of.title")} title=${shown ? t(`as_of.${how}`) : ""}>
      <span class="dot" aria-hidden="true"></span>
      <span>${t("as_of.title")}</span>
      ${shown ? html`<b>${asOfMs ? format.time(asOfMs) : t("as_of.none")}</b>` : nothing}
      ${asOfMs ? html`<span class="age">${t("as_of.age", { age: format.duration(ageMs) })}</span>` : nothing}
      ${shown && how !== "fresh" ? html`<span class="why">${t(`as_of.${how}`)}</span>` : nothing}
    </div>
  `;
};
