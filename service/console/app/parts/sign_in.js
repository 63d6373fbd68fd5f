import { html } from "../../vendor/lit-html/lit-html.js";
import { words } from "../words/words.js";
import { failureNote } from "./notes.js";

/** @typedef {import("../types.d.ts").Part} Part */

/** @type {Part} */
export const signIn = (state, actions) => {
  const t = words(state.view.language);
  const submit = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const input = /** @type {HTMLInputElement} */ (document.getElementById("token"));
    const token = input.value.trim();
    say(token === "" ? t("sign_in.empty") : "");
    if (token === "") input.focus();
    else void actions.signIn(token);
  };
  return html`
    <main class="sign-in ${state.view.isWall ? "on-wall" : ""}" id="main" tabindex="-1">
      <h1>${t("page.title")}</h1>
      <p class="lead">${t("sign_in.lead")}</p>
      ${failureNote(state)}
      <form class="card" novalidate @submit=${submit}>
        <label for="token">${t("sign_in.token")}</label>
        <input
          id="token"
          class="secret"
          type="text"
          autocomplete="off"
          autocapitalize="off"
          spellcheck="false"
          aria-describedby="token-hint token-problem"
          autofocus
          @input=${() => say("")}
        />
        <p class="problem" id="token-problem" role="alert"></p>
        <p class="hint" id="token-hint">${t("sign_in.hint")}</p>
        <button class="primary" type="submit" aria-disabled=${state.isLoading ? "true" : "false"}>
          ${state.isLoading ? t("sign_in.busy") : t("sign_in.submit")}
        </button>
      </form>
    </main>
  `;
};

/** @param {string} problem */
function say(problem) {
  const place = document.getElementById("token-problem");
  if (place) place.textContent = problem;
  document.getElementById("token")?.setAttribute("aria-invalid", problem ? "true" : "false");
}
