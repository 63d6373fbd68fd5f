import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { formatOf } from "../words/format.js";

/** @typedef {import("../types.d.ts").Part} Part */

const LATE_MS = 2 * 60_000;
const STALE_MS = 5 * 60_000;

/** How old the figures are. It is said to who asks: a screen reader would read it out each second. @type {Part} */
export const asOf = ({ nowMs, shown, view }) => {
  const format = formatOf(view);
  const { t } = format;
  const asOfMs = shown?.statistics.asOfMs ?? null;
  const ageMs = asOfMs ? Math.max(0, nowMs - asOfMs) : 0;
  const how = ageMs >= STALE_MS || asOfMs === 0 ? "stale" : ageMs >= LATE_MS ? "late" : "fresh";
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
