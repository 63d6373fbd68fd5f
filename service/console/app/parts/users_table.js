import { html } from "../../vendor/lit-html/lit-html.js";
import { words } from "../words/words.js";
import "./users/element.js";
import { download } from "./users/frame.js";

/** @typedef {import("../types.d.ts").Part} Part */

/** Everybody's figures, for who may see them; and the file of what is seen, for all. @type {Part} */
export const usersTable = ({ caller, shown, view }, actions) => {
  const t = words(view.language);
  if (!caller?.isAdministrator) return html`<div class="users-tools">${download(t, actions)}</div>`;
  if (!shown?.statistics.users) return html`<div class="users-waits" aria-hidden="true"></div>`;
  return html`<console-users .model=${{ shown, users: shown.statistics.users, actions }}></console-users>`;
};
