import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { guard } from "../../vendor/lit-html/directives/guard.js";
import { live } from "../../vendor/lit-html/directives/live.js";
import { LOCALES, words } from "../words/words.js";

/** @typedef {import("../types.d.ts").Part} Part */
/** @typedef {import("../types.d.ts").State} State */

/** What was returned last, and of what. @type {{ users: readonly { name: string }[], user: string | null, text: string, names: string[] }} */
let known = { users: [], user: null, text: "", names: [] };

/**
 * Returns the names to choose from: the same array as before where they are the same, as there may be thousands.
 *
 * @param {readonly { name: string }[]} users
 * @param {import("../types.d.ts").View} view
 */
function namesOf(users, { language, user }) {
  if (users === known.users && user === known.user && known.text.startsWith(`${language}\n`)) return known.names;
  const names = [...new Set([...users.map((row) => row.name), ...(user === null ? [] : [user])])];
  const text = [language, ...names].join("\n"); // no name has a line break
  if (text !== known.text) {
    known = { users, user, text, names: names.sort(new Intl.Collator(LOCALES[language], { numeric: true }).compare) };
  } else known = { ...known, users, user };
  return known.names;
}

/**
 * Returns what can be chosen. Thousands of options are made ten times faster than by a template of each.
 *
 * @param {readonly string[]} names
 * @param {string} everybody
 * @param {string | null} chosen
 */
function optionsOf(names, everybody, chosen) {
  const options = document.createDocumentFragment();
  options.append(new Option(everybody, ""));
  for (const name of names) options.append(new Option(name, `=${name}`, false, name === chosen));
  return options;
}

/** Whose jobs are seen, for who may see those of others; and what is left out, with a way back. @type {Part} */
export const filters = (state, actions) => html`
  ${state.caller?.isAdministrator ? userChooser(state, actions) : nothing} ${chips(state, actions)}
`;

/** @type {Part} */
function userChooser({ shown, view }, actions) {
  const t = words(view.language);
  const names = namesOf(shown?.statistics.users ?? [], view);
  const choose = (/** @type {Event} */ event) => {
    const { value } = /** @type {HTMLSelectElement} */ (event.target);
    actions.see({ user: value === "" ? null : value.slice(1) });
  };
  return html`
    <div class="user">
      <label for="user">${t("filter.user")}</label>
      <select id="user" .value=${live(view.user === null ? "" : `=${view.user}`)} @change=${choose}>
        ${guard([names, view.language], () => optionsOf(names, t("filter.everybody"), view.user))}
      </select>
    </div>
  `;
}

/** @type {Part} */
function chips({ caller, view }, actions) {
  const t = words(view.language);
  /** @type {[string, () => void][]} */
  const chosen = [];
  if (view.user !== null && caller?.isAdministrator) {
    chosen.push([t("filter.user_is", { name: view.user }), () => actions.see({ user: null })]);
  }
  if (view.status) {
    const name = t(`status.${view.status}`);
    chosen.push([t("filter.state_is", { name }), () => actions.see({ status: null })]);
  }
  if (chosen.length === 0) return nothing;
  return html`
    <ul class="chips" aria-label=${t("filter.title")}>
      ${chosen.map(
        ([text, remove]) => html`
          <li>
            <button @click=${remove} aria-label=${t("filter.remove", { name: text })}>
              ${text} <span class="cross" aria-hidden="true">×</span>
            </button>
          </li>
        `,
      )}
    </ul>
  `;
}
