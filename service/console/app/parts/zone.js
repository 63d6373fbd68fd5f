import { html } from "../../vendor/lit-html/lit-html.js";
import { guard } from "../../vendor/lit-html/directives/guard.js";
import { ownZone, zoneNames } from "../core/zones.js";
import { words } from "../words/words.js";

/** @typedef {import("../types.d.ts").Part} Part */

/** Whose clock is meant by every time on the page. @type {Part} */
export const zoneChooser = ({ view }, actions) => {
  const t = words(view.language);
  const choose = (/** @type {Event} */ event) => {
    actions.see({ timeZone: /** @type {HTMLSelectElement} */ (event.target).value });
  };
  return html`
    <div class="zone">
      <label for="zone">${t("zone.title")}</label>
      ${guard(
        [view.timeZone],
        () => html`
          <select id="zone" @change=${choose}>
            ${zoneChoices(view.timeZone).map(
              (name) => html`<option value=${name} .selected=${name === view.timeZone}>${name.replaceAll("_", " ")}</option>`,
            )}
          </select>
        `,
      )}
    </div>
  `;
};

/** @param {string} seen */
function zoneChoices(seen) {
  return [...new Set([ownZone(), "UTC", seen, ...zoneNames()])];
}
