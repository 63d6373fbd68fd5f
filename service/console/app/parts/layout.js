import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { byUser } from "./by_user.js";
import { controls } from "./controls.js";
import { donut } from "./donut.js";
import { figures } from "./figures.js";
import { header } from "./header.js";
import { liveSummary } from "./live_summary.js";
import { notes } from "./notes.js";
import { signIn } from "./sign_in.js";
import { trend } from "./trend.js";
import { usersTable } from "./users_table.js";
import { wall } from "./wall.js";

/** @typedef {import("../types.d.ts").Actions} Actions */
/** @typedef {import("../types.d.ts").Part} Part */
/** @typedef {import("../types.d.ts").State} State */

/** Below the figures, in this order: the name of each is its area of the grid. @type {readonly [string, Part][]} */
const PARTS = [
  ["donut", donut],
  ["trend", trend],
  ["by-user", byUser],
  ["users", usersTable],
];

/**
 * The whole page.
 *
 * @param {State} state
 * @param {Actions} actions
 * @param {boolean} isResuming There is a token, of which it is not known yet whose it is.
 */
export function page(state, actions, isResuming) {
  if (state.caller && state.view.isWall) return wall(state, actions);
  const isOut = !state.caller && !(isResuming && (!state.failure || state.failure.retryAtMs !== null));
  return html`
    ${header(state, actions, isOut)}
    ${isOut
      ? signIn(state, actions)
      : html`
          ${controls(state, actions)}
          <main id="main" tabindex="-1" class=${state.isLoading ? "is-loading" : ""} aria-busy=${state.isLoading ? "true" : "false"}>
            ${notes(state, actions)} ${figures(state, actions)} ${liveSummary(state, actions)}
            ${PARTS.map(([area, part]) => {
              const content = state.caller ? part(state, actions) : nothing;
              return content === nothing ? nothing : html`<div class="area ${area}">${content}</div>`;
            })}
          </main>
        `}
  `;
}
