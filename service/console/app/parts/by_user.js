import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { guard } from "../../vendor/lit-html/directives/guard.js";
import { byUserOption, inputBars } from "../charts/by_user_option.js";
import { tooltip } from "../charts/tooltip.js";
import { formatOf } from "../words/format.js";
import { chartFrame } from "./chart_frame.js";

/** @typedef {import("../charts/by_user_option.js").InputBar} InputBar */
/** @typedef {import("../types.d.ts").Actions} Actions */
/** @typedef {import("../types.d.ts").Part} Part */
/** @typedef {import("../types.d.ts").Shown} Shown */
/** @typedef {import("../types.d.ts").UserRow} UserRow */

/** The users with the most bytes of input. One who sees itself alone has none of it. @type {Part} */
export const byUser = ({ shown, theme }, actions) => {
  const users = shown?.statistics.users;
  if (!shown || !users) return nothing;
  return html`${guard([users, shown.view, theme], () => frame(shown, users, actions))}`;
};

/**
 * @param {Shown} shown
 * @param {readonly UserRow[]} users
 * @param {Actions} actions
 */
function frame(shown, users, actions) {
  const { view } = shown;
  const format = formatOf(view);
  const { t } = format;
  const bars = inputBars(users, view.user);
  const nameOf = (/** @type {InputBar} */ { name, users: n }) => name ?? t("by_user.rest", { n });
  const pick = (/** @type {InputBar | undefined} */ bar) => {
    if (bar && bar.name !== null) actions.see({ user: bar.name === view.user ? null : bar.name });
  };
  const content = (/** @type {number} */ index) => {
    const bar = bars[index];
    if (!bar) return tooltip("", []);
    return tooltip(nameOf(bar), [{ name: t("input"), value: format.exactBytes(bar.inputBytes) }]);
  };
  return chartFrame(shown, {
    name: "by_user",
    asOfMs: shown.statistics.asOfMs,
    caption: t("by_user.caption"),
    drawing: {
      option: (look, isStill) =>
        byUserOption({ bars, user: view.user, nameOf, size: (value) => format.bytes(BigInt(Math.round(value))) }, look, isStill),
      content,
      along: "y",
      onPick: (index) => pick(bars[index]),
    },
    legend: [],
    table: () => html`
      <table>
        <caption>${t("by_user.title")}</caption>
        <thead>
          <tr>
            <th scope="col">${t("filter.user")}</th>
            <th scope="col">${t("input")}</th>
          </tr>
        </thead>
        <tbody>
          ${bars.map(
            (bar) => html`
              <tr>
                <th scope="row">
                  ${bar.name === null
                    ? nameOf(bar)
                    : html`<button aria-pressed=${bar.name === view.user ? "true" : "false"} @click=${() => pick(bar)}>${bar.name}</button>`}
                </th>
                <td>${format.exactBytes(bar.inputBytes)}</td>
              </tr>
            `,
          )}
        </tbody>
      </table>
    `,
    data: () => ({
      header: ["user_name", "users", "input_size"],
      rows: bars.map((bar) => [nameOf(bar), bar.users, bar.inputBytes]),
    }),
  });
}
