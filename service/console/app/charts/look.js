import { STATUSES } from "../core/address.js";

/** @typedef {import("../types.d.ts").Status} Status */

/** The size of texts in a chart. */
export const SMALLEST_PX = 12;

const SHARE = 0.8; // of the size of texts around it

/**
 * The colours and the font of the page, as a canvas takes them.
 *
 * @typedef {object} Look
 * @property {string} text
 * @property {string} quiet Of axes and captions.
 * @property {string} line
 * @property {string} surface What a chart stands on.
 * @property {string} input Of bytes.
 * @property {string} font
 * @property {number} fontPx Of axes: larger where the page's own is, as on a wall.
 * @property {Record<Status, string>} statuses
 */

/**
 * Returns the look of the page at an element. A canvas does not know of CSS variables: an element that is not seen
 * takes each as its colour.
 *
 * @param {HTMLElement} element
 * @returns {Look}
 */
export function readLook(element) {
  const probe = document.createElement("span");
  probe.hidden = true;
  element.append(probe);
  const style = getComputedStyle(probe);
  const colour = (/** @type {string} */ name) => {
    probe.style.color = `var(--${name})`;
    return style.color;
  };
  const statuses = /** @type {Record<Status, string>} */ (
    Object.fromEntries(STATUSES.map((status) => [status, colour(`status-${status}`)]))
  );
  const look = {
    text: colour("text"),
    quiet: colour("text-quiet"),
    line: colour("line"),
    surface: colour("surface"),
    input: colour("input"),
    font: style.fontFamily,
    fontPx: Math.max(SMALLEST_PX, parseFloat(style.fontSize) * SHARE),
    statuses,
  };
  probe.remove();
  return look;
}
