import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { words } from "../words/words.js";
import { asOf } from "./as_of.js";
import { filters } from "./filters.js";
import { range } from "./range.js";
import { zoneChooser } from "./zone.js";

/** @typedef {import("../types.d.ts").Part} Part */

/** What is seen, how old it is, and whether it changes by itself. @type {Part} */
export const controls = (state, actions) => {
  const t = words(state.view.language);
  return html`
    <section class="controls" aria-label=${t("controls.title")}>
      <div class="row">${range(state, actions)} ${zoneChooser(state, actions)}</div>
      <div class="row">
        ${filters(state, actions)}
        <div class="now">
          ${asOf(state, actions)}
          <button
            class="live"
            data-stream=${state.stream}
            aria-pressed=${state.isLive ? "true" : "false"}
            title=${state.isLive && state.stream !== "off" ? t(`live.${state.stream}`) : nothing}
            @click=${() => actions.setLive(!state.isLive)}
          >
            <span class="dot" aria-hidden="true"></span>${t("header.live")}
          </button>
          <button @click=${actions.refresh}>${t("header.refresh")}</button>
        </div>
      </div>
    </section>
    ${state.isLive && state.stream === "broken" ? html`<p class="note warn" role="status">${t("live.broken")}</p>` : nothing}
  `;
};
