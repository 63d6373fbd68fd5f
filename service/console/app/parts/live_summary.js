import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { STATUSES } from "../core/address.js";
import { countsOf } from "../core/figures.js";
import { formatOf } from "../words/format.js";

/** @typedef {import("../types.d.ts").Counts} Counts */
/** @typedef {import("../types.d.ts").Part} Part */
/** @typedef {import("../words/format.js").Format} Format */
/** @typedef {{ counts: Counts, question: string, format: Format }} Told */

const REST_MS = 30_000; // a screen reader has other things to say

/** Tells a screen reader, now and then, which figures have changed by themselves. @type {Part} */
export const liveSummary = ({ isLive, shown }) => {
  if (!isLive || !shown) return nothing;
  const { view } = shown;
  const told = {
    counts: countsOf(shown.statistics, view.user),
    question: JSON.stringify([view.range, view.user, view.language]),
    format: formatOf(view),
  };
  return html`<console-summary class="unseen" aria-live="polite" .told=${told}></console-summary>`;
};

class SummaryElement extends HTMLElement {
  /** What was said last, or was there from the start. @type {Told | null} */
  #said = null;
  /** @type {Told | null} */
  #newest = null;
  #saidAtMs = -REST_MS;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {Told} told */
  set told(told) {
    this.#newest = told;
    if (this.#said?.question !== told.question) this.#said = told;
    if (this.#timer !== undefined || this.#changed().length === 0) return;
    this.#timer = setTimeout(() => this.#say(), Math.max(0, this.#saidAtMs + REST_MS - performance.now()));
  }

  disconnectedCallback() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #changed() {
    return STATUSES.filter((status) => this.#said?.counts[status] !== this.#newest?.counts[status]);
  }

  #say() {
    this.#timer = undefined;
    const newest = this.#newest;
    const changed = this.#changed();
    if (!newest || changed.length === 0) return;
    const { counts, format } = newest;
    this.textContent = changed.map((status) => `${format.t(`status.${status}`)} ${format.number(counts[status])}`).join(", ");
    this.#said = newest;
    this.#saidAtMs = performance.now();
  }
}

customElements.define("console-summary", SummaryElement);
