import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { countsOf, jobsOf } from "../core/figures.js";
import { formatOf } from "../words/format.js";
import { words } from "../words/words.js";

/** @typedef {import("../types.d.ts").Part} Part */
/** @typedef {import("../types.d.ts").State} State */

const SOON_MS = 5 * 60_000;

/** What went wrong, when it is tried again, and of when the figures are that are still there. @param {State} state */
export function failureNote(state) {
  const { endedAsOfMs, failure, nowMs, shown, view } = state;
  if (!failure) return nothing;
  const t = words(view.language);
  const format = formatOf(view);
  return html`
    <div class="note bad" role="alert">
      <strong>${t(`failure.${failure.kind}`)}</strong>
      ${failure.message ? html`<span>${failure.message}</span>` : nothing}
      ${failure.kind === "signed-out" ? html`<span>${t("failure.signed-out.hint")}</span>` : nothing}
      ${shown ? html`<span>${t("failure.kept", { instant: format.second(shown.statistics.asOfMs) })}</span>` : nothing}
      ${endedAsOfMs ? html`<span>${t("failure.last", { instant: format.second(endedAsOfMs) })}</span>` : nothing}
      ${failure.retryAtMs === null ? nothing : html`<span aria-live="off">${waitText(failure.retryAtMs - nowMs, state)}</span>`}
    </div>
  `;
}

/**
 * @param {number} waitMs
 * @param {State} state
 */
function waitText(waitMs, { view }) {
  const t = words(view.language);
  return waitMs > 0 ? t("failure.retry", { wait: formatOf(view).duration(waitMs + 999) }) : t("failure.retrying");
}

/** What a reader must know to read the figures rightly. @type {Part} */
export const notes = (state) => {
  const { caller, nowMs, shown, view } = state;
  const t = words(view.language);
  const format = formatOf(view);
  /** @type {string[]} */
  const texts = [];
  /** @type {string[]} */
  const warnings = [];
  if (shown) {
    const { asOfMs, gaps, horizonMs } = shown.statistics;
    if (asOfMs === 0) warnings.push(t("note.no_as_of"));
    if (horizonMs !== null) texts.push(t("note.horizon", { instant: format.instant(horizonMs) }));
    if (gaps > 0) warnings.push(t("note.gaps", { n: gaps }));
  }
  const leftMs = (caller?.expiresAtMs ?? Infinity) - nowMs;
  if (leftMs > 0 && leftMs < SOON_MS) warnings.push(t("note.expires", { left: format.duration(leftMs) }));
  return html`
    ${failureNote(state)} ${warnings.map((text) => html`<p class="note warn">${text}</p>`)}
    ${texts.map((text) => html`<p class="note">${text}</p>`)} ${empty(state)}
  `;
};

/** @param {State} state */
function empty({ shown, view }) {
  if (!shown || jobsOf(countsOf(shown.statistics, shown.view.user)) > 0) return nothing;
  const t = words(view.language);
  const { user } = shown.view;
  /** @type {"user" | "project" | "range"} */
  const what = user !== null && jobsOf(shown.statistics.totals) > 0 ? "user" : isOfAllTime(shown.bounds) ? "project" : "range";
  const name = user ?? "";
  return html`
    <section class="empty">
      <h2>${t(`empty.${what}.title`, { name })}</h2>
      <p>${t(`empty.${what}.text`, { name })}</p>
    </section>
  `;
}

/** @param {import("../types.d.ts").Bounds} bounds */
function isOfAllTime({ fromMs, toMs }) {
  return fromMs === null && toMs === null;
}
