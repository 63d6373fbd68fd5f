import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { words } from "../words/words.js";

/** @typedef {import("../types.d.ts").Actions} Actions */
/** @typedef {import("../types.d.ts").Language} Language */
/** @typedef {import("../types.d.ts").State} State */
/** @typedef {import("../types.d.ts").Theme} Theme */

/** @type {readonly [Language, string, string][]} */
const LANGUAGES = [
  ["zh", "中文", "zh-CN"],
  ["en", "English", "en"],
];
/** @type {readonly Theme[]} */
const THEMES = ["light", "dark"];

/**
 * Whose figures they are, and how they are shown.
 *
 * @param {State} state
 * @param {Actions} actions
 * @param {boolean} isOut The page below has its own title.
 */
export function header(state, actions, isOut) {
  const { caller, view } = state;
  const t = words(view.language);
  return html`
    <a class="skip" href="#main" @click=${skip}>${t("page.skip")}</a>
    <header class="top">
      <div class="brand">
        <span class="mark" aria-hidden="true"></span>
        ${isOut ? nothing : html`<h1>${t("page.title")}</h1>`}
      </div>
      ${caller ? who(state) : nothing}
      <div class="tools">
        ${caller
          ? pressed(t("header.patterns"), view.hasPatterns, () => actions.see({ hasPatterns: !view.hasPatterns }))
          : nothing}
        <div class="switch" role="group" aria-label=${t("header.theme")}>
          ${THEMES.map((theme) => pressed(t(`header.${theme}`), state.theme === theme, () => actions.setTheme(theme)))}
        </div>
        <div class="switch" role="group" aria-label=${t("header.language")}>
          ${LANGUAGES.map(([language, name, tag]) =>
            pressed(name, view.language === language, () => actions.see({ language }), tag),
          )}
        </div>
        ${caller
          ? html`
              <button class="to-wall" @click=${() => actions.see({ isWall: true })}>${t("header.wall")}</button>
              <button @click=${actions.signOut}>${t("header.sign_out")}</button>
            `
          : nothing}
      </div>
    </header>
  `;
}

/** @param {State} state */
function who({ caller, view }) {
  const t = words(view.language);
  return html`
    <p class="who">
      ${caller?.userName ? html`<b>${caller.userName}</b>` : nothing}
      <span class="role">${t(caller?.isAdministrator ? "header.administrator" : "header.member")}</span>
      <span class="project">${t("header.project")} <code>${caller?.projectId}</code></span>
    </p>
  `;
}

/**
 * @param {string} name
 * @param {boolean} isPressed
 * @param {() => void} press
 * @param {string | typeof nothing} lang
 */
function pressed(name, isPressed, press, lang = nothing) {
  return html`<button aria-pressed=${isPressed ? "true" : "false"} lang=${lang} @click=${press}>${name}</button>`;
}

/** A link to a place would be a step in the history, and ask nothing. @param {Event} event */
function skip(event) {
  event.preventDefault();
  document.getElementById("main")?.focus();
}
