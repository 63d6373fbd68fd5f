import { html, nothing, render } from "../../vendor/lit-html/lit-html.js";
import { trendFrame } from "./trend_frame.js";

/** @typedef {import("../types.d.ts").Actions} Actions */
/** @typedef {import("../types.d.ts").Part} Part */
/** @typedef {import("../types.d.ts").State} State */
/** @typedef {"jobs" | "bytes"} Measure */

/** Jobs, or bytes of their input, over time. @type {Part} */
export const trend = (state, actions) =>
  state.shown?.series ? html`<console-trend .model=${{ state, actions }}></console-trend>` : nothing;

/** The trend. It keeps by itself whether jobs or bytes are seen, and is made anew when what it shows has changed. */
class TrendElement extends HTMLElement {
  /** @type {Measure} */
  #measure = "jobs";
  /** @type {{ state: State, actions: Actions } | null} */
  #model = null;

  /** @param {{ state: State, actions: Actions }} model */
  set model(model) {
    const [now, before] = [model.state, this.#model?.state];
    this.#model = model;
    const isSame = now.theme === before?.theme && now.shown?.series === before.shown?.series;
    if (!isSame || now.shown?.view !== before.shown?.view) this.#draw();
  }

  #draw() {
    const { state, actions } = this.#model ?? {};
    if (!state?.shown?.series || !actions) return;
    const measure = {
      is: this.#measure,
      /** @param {Measure} is */
      set: (is) => {
        this.#measure = is;
        this.#draw();
      },
    };
    render(trendFrame(state.shown, state.shown.series, measure, actions), this);
  }
}

customElements.define("console-trend", TrendElement);
