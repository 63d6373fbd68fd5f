import { html } from "../../../vendor/lit-html/lit-html.js";
import { repeat } from "../../../vendor/lit-html/directives/repeat.js";

/**
 * The rows of a table of which only those are there that are seen: one of another height for each gap.
 *
 * @param {readonly import("./window.js").Piece[]} pieces
 * @param {number} rowPx
 * @param {(index: number) => unknown} row What lit-html can show.
 */
export function rowsOf(pieces, rowPx, row) {
  return repeat(
    pieces,
    (piece, at) => ("index" in piece ? piece.index : `gap ${at}`),
    (piece) => ("index" in piece ? row(piece.index) : gap(piece.gap * rowPx)),
  );
}

/** @param {number} px */
function gap(px) {
  return html`<tr class="gap" aria-hidden="true" .style=${`height: ${px}px`}></tr>`;
}
