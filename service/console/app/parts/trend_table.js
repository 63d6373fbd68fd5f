import { html, nothing, render } from "../../vendor/lit-html/lit-html.js";
import { rowsOf } from "./users/pieces.js";
import { piecesOf } from "./users/window.js";

/** @typedef {import("../types.d.ts").Point} Point */
/** @typedef {import("../types.d.ts").Status} Status */
/** @typedef {import("../words/format.js").Format} Format */
/**
 * @typedef {object} Table What the table beside a trend shows.
 * @property {readonly Point[]} points
 * @property {readonly Status[]} statuses None: bytes alone.
 * @property {Format} format
 * @property {(first: number, last: number) => void} zoom
 */

const STEP_ROWS = 6; // a shorter way of scrolling finds rows that are there already

/**
 * Returns the table beside the trend. Its buttons do what a click on a bar does.
 *
 * @param {Table} table
 */
export function trendTable(table) {
  return html`<console-points .table=${table}></console-points>`;
}

/** A table of points, of which those rows are in the page that are seen: there may be 2,000. */
class PointsElement extends HTMLElement {
  /** @type {Table | null} */
  #table = null;
  /** @type {AbortController | null} */
  #there = null;
  #rowPx = 26;
  #topPx = 0;
  #first = 0;
  #frame = 0;

  /** @param {Table} table */
  set table(table) {
    this.#table = table;
    this.#draw();
  }

  connectedCallback() {
    this.#there = new AbortController();
    this.#region?.addEventListener("scroll", () => this.#scrolled(), { passive: true, signal: this.#there.signal });
    this.#measure(); // a place that is scrolled to must be the same once its rows are there
    this.#draw();
  }

  disconnectedCallback() {
    this.#there?.abort();
    cancelAnimationFrame(this.#frame);
  }

  get #region() {
    return this.closest(".disclosed");
  }

  #measure() {
    this.#rowPx = this.querySelector("tbody tr:not(.gap)")?.getBoundingClientRect().height || this.#rowPx;
  }

  #scrolled() {
    this.#topPx = this.#region?.scrollTop ?? 0;
    this.#measure();
    if (Math.abs(Math.floor(this.#topPx / this.#rowPx) - this.#first) < STEP_ROWS) return;
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    if (!this.#table) return;
    const { points } = this.#table;
    this.#first = Math.min(Math.floor(this.#topPx / this.#rowPx), Math.max(0, points.length - 1));
    const focused = this.contains(document.activeElement) ? document.activeElement?.closest("tr") : null;
    const pieces = piecesOf(points.length, this.#first, focused ? Number(focused.ariaRowIndex) - 2 : -1);
    render(markup(this.#table, pieces, this.#rowPx), this);
  }
}

/**
 * @param {Table} table
 * @param {readonly import("./users/window.js").Piece[]} pieces
 * @param {number} rowPx
 */
function markup(table, pieces, rowPx) {
  const { points, statuses, format } = table;
  const { t } = format;
  return html`
    <table aria-rowcount=${points.length + 1}>
      <caption>${t("trend.title")} · ${format.zone(points[0]?.startMs ?? 0)}</caption>
      <thead>
        <tr aria-rowindex="1">
          <th scope="col">${t("trend.start")}</th>
          <th scope="col">${t("trend.end")}</th>
          <th scope="col">${t("trend.whole")}</th>
          ${statuses.map((status) => html`<th scope="col">${t(`status.${status}`)}</th>`)}
          ${statuses.length === 0 ? html`<th scope="col">${t("input")}</th>` : nothing}
        </tr>
      </thead>
      <tbody>
        ${rowsOf(pieces, rowPx, (index) => row(index, table))}
      </tbody>
    </table>
  `;
}

/**
 * @param {number} index
 * @param {Table} table
 */
function row(index, { points, statuses, format, zoom }) {
  const point = points[index];
  if (!point) return nothing;
  return html`
    <tr aria-rowindex=${index + 2}>
      <th scope="row"><button @click=${() => zoom(index, index)}>${format.instant(point.startMs)}</button></th>
      <td>${format.instant(point.endMs)}</td>
      <td>${format.t(point.isPartial ? "trend.no" : "trend.yes")}</td>
      ${statuses.map((status) => html`<td>${format.number(point[status])}</td>`)}
      ${statuses.length === 0 ? html`<td>${format.exactBytes(point.inputBytes)}</td>` : nothing}
    </tr>
  `;
}

customElements.define("console-points", PointsElement);
