import { html, nothing } from "../../../vendor/lit-html/lit-html.js";
import { STATUSES, writeView } from "../../core/address.js";
import { exactBytes } from "../exact.js";
import { rowsOf } from "./pieces.js";

/** @typedef {import("../../types.d.ts").Counts} Counts */
/** @typedef {import("../../types.d.ts").Status} Status */
/** @typedef {import("../../types.d.ts").View} View */
/** @typedef {import("../../words/format.js").Format} Format */
/** @typedef {import("./rows.js").Column} Column */
/** @typedef {import("./rows.js").Entry} Entry */
/** @typedef {import("./rows.js").Order} Order */
/** @typedef {import("./window.js").Piece} Piece */

/** @type {readonly Column[]} */
export const COLUMNS = ["name", ...STATUSES, "inputBytes"];

/**
 * What a table of users shows.
 *
 * @typedef {object} Shape
 * @property {View} view
 * @property {Format} format
 * @property {Order} order
 * @property {readonly Entry[]} entries Those that were searched for, or chosen.
 * @property {boolean} isSearched
 * @property {readonly Piece[]} pieces Those of them that are in the page.
 * @property {Counts} totals
 * @property {number} users How many there are in all.
 * @property {string | undefined} active The key of the user at whom Tab stops.
 * @property {number} rowPx
 * @property {(entry: Entry, column: Column) => string} changed The class of a change.
 */

/**
 * @param {Shape} shape
 * @param {(column: Column) => void} sort
 */
export function table(shape, sort) {
  const { format, entries, pieces, totals } = shape;
  return html`
    <table aria-labelledby="users-title" aria-rowcount=${entries.length + 2}>
      <thead>
        <tr aria-rowindex="1">
          ${COLUMNS.map((column) => head(column, shape, sort))}
        </tr>
      </thead>
      <tbody>
        ${rowsOf(pieces, shape.rowPx, (index) => row(index, shape))}
      </tbody>
      <tfoot>
        <tr aria-rowindex=${entries.length + 2}>
          <th scope="row">${format.t("users.total")} <small>${shareOf(shape)}</small></th>
          ${STATUSES.map((status) => number(totals[status], status, shape))}
          <td>${exactBytes(totals.inputBytes, format)}</td>
        </tr>
      </tfoot>
    </table>
  `;
}

/** Returns how many users of how many the table has; nothing where it is all of them. @param {Shape} shape */
export function shareOf({ entries, format, users }) {
  return entries.length === users ? "" : format.t("users.share", { n: entries.length, all: users });
}

/**
 * @param {Column} column
 * @param {Shape} shape
 * @param {(column: Column) => void} sort
 */
function head(column, { format: { t }, order, view }, sort) {
  const name = column === "name" ? t("users.user") : column === "inputBytes" ? t("input") : t(`status.${column}`);
  const sorted = order.column !== column ? nothing : order.isDescending ? "descending" : "ascending";
  return html`
    <th scope="col" aria-sort=${sorted} data-status=${isStatus(column) ? column : nothing} class=${classOf(column, view)}>
      <button type="button" @click=${() => sort(column)}>
        ${isStatus(column) ? html`<span class="swatch" aria-hidden="true"></span>` : nothing}${name}
      </button>
    </th>
  `;
}

/**
 * @param {number} index
 * @param {Shape} shape
 */
function row(index, shape) {
  const { active, changed, entries, format, view } = shape;
  const entry = entries[index];
  if (!entry) return nothing;
  const user = entry.row;
  const isSeen = user.name === view.user;
  return html`
    <tr data-index=${index} aria-rowindex=${index + 2} class=${isSeen ? "is-seen" : ""}>
      <th scope="row">
        <a
          href=${writeView({ ...view, user: isSeen ? null : user.name })}
          title=${user.name}
          tabindex=${entry.key === active ? "0" : "-1"}
          aria-current=${isSeen ? "true" : nothing}
          ><bdi>${user.name}</bdi></a
        >
      </th>
      ${STATUSES.map((status) => number(user[status], status, shape, changed(entry, status)))}
      <td class=${changed(entry, "inputBytes")}>${exactBytes(user.inputBytes, format, { isStop: false })}</td>
    </tr>
  `;
}

/**
 * @param {number} value
 * @param {Status} status
 * @param {Shape} shape
 * @param {string} [changed]
 */
function number(value, status, { format, view }, changed = "") {
  return html`<td class="${classOf(status, view)} ${value === 0 ? "is-zero" : ""} ${changed}">${format.number(value)}</td>`;
}

/**
 * @param {Column} column
 * @returns {column is Status}
 */
function isStatus(column) {
  return column !== "name" && column !== "inputBytes";
}

/**
 * @param {Column} column
 * @param {View} view
 */
function classOf(column, view) {
  return column === view.status ? "is-chosen" : "";
}
