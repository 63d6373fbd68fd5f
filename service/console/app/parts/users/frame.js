import { html, nothing } from "../../../vendor/lit-html/lit-html.js";
import { shareOf, table } from "./markup.js";

/** @typedef {import("../../types.d.ts").Actions} Actions */

/**
 * Returns the table with its title, the search, and what saves it.
 *
 * @param {import("./markup.js").Shape} shape
 * @param {import("./element.js").UsersElement} element Takes what a person does to it.
 * @param {Actions} actions
 */
export function frame(shape, element, actions) {
  const { entries } = shape;
  const { t } = shape.format;
  const search = (/** @type {Event} */ event) => element.search(/** @type {HTMLInputElement} */ (event.target).value);
  return html`
    <div class="users-tools">
      <h2 id="users-title">${t("users.title")}</h2>
      <label class="unseen" for="users-search">${t("users.search")}</label>
      <input
        id="users-search"
        type="search"
        placeholder=${t("users.search")}
        autocomplete="off"
        spellcheck="false"
        @input=${search}
      />
      ${download(t, actions)}
    </div>
    <div
      class="users-region"
      role="region"
      tabindex="0"
      aria-label=${t("users.rows")}
      @scroll=${() => element.scrolled()}
      @click=${(/** @type {MouseEvent} */ event) => element.clicked(event)}
      @focusin=${(/** @type {FocusEvent} */ event) => element.focused(event)}
      @keydown=${(/** @type {KeyboardEvent} */ event) => element.pressed(event)}
    >
      ${table(shape, (column) => element.sort(column))}
    </div>
    ${entries.length === 0 ? html`<p class="hint">${emptiness(shape)}</p>` : nothing}
    <p class="unseen" aria-live="polite">${shareOf(shape)}</p>
  `;
}

/** Returns why there is no row. @param {import("./markup.js").Shape} shape */
function emptiness({ format: { t }, isSearched, users, view }) {
  if (users === 0) return t("users.none");
  return isSearched ? t("users.none_found") : t("empty.user.title", { name: view.user ?? "" });
}

/**
 * @param {import("../../words/words.js").Translate} t
 * @param {Actions} actions
 */
export function download(t, actions) {
  return html`<button type="button" @click=${() => actions.downloadCsv()}>${t("users.csv")}</button>`;
}
