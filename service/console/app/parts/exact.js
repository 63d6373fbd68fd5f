import { html } from "../../vendor/lit-html/lit-html.js";
import { copy } from "./copying.js";

/** @typedef {import("../words/format.js").Format} Format */

/**
 * Returns bytes in a unit that suits them. Their digits are seen by pointing at them or by the keyboard's focus; a click
 * or Enter copies them without separators, as a spreadsheet takes them.
 *
 * @param {bigint} bytes
 * @param {Format} format
 * @param {{ isStop?: boolean }} [how] Whether Tab stops at it: it does not where there are thousands.
 */
export function exactBytes(bytes, format, { isStop = true } = {}) {
  const exact = format.exactBytes(bytes);
  const copyIt = (/** @type {MouseEvent} */ event) => {
    event.stopPropagation(); // it may stand in a row that can be clicked
    void copy(String(bytes), format.t, /** @type {HTMLElement} */ (event.currentTarget));
  };
  return html`
    <button type="button" class="exact" tabindex=${isStop ? "0" : "-1"} title=${exact} data-exact=${exact} @click=${copyIt}>
      ${format.bytes(bytes)}
    </button>
  `;
}
