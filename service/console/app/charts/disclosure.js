import { html, nothing, render } from "../../vendor/lit-html/lit-html.js";

/** @typedef {import("../../vendor/lit-html/lit-html.js").TemplateResult} TemplateResult */

/** A button, and what it shows: that is made only while it is seen, since it may be long. */
class Disclosure extends HTMLElement {
  #isOpen = false;
  #name = "";
  /** @type {() => TemplateResult | typeof nothing} */
  #content = () => nothing;

  /** @param {{ name: string, content: () => TemplateResult | typeof nothing }} shown */
  set shown({ name, content }) {
    this.#name = name;
    this.#content = content;
    this.#draw();
  }

  #draw() {
    const toggle = () => {
      this.#isOpen = !this.#isOpen;
      this.#draw();
    };
    render(
      html`
        <button aria-expanded=${this.#isOpen ? "true" : "false"} @click=${toggle}>${this.#name}</button>
        ${this.#isOpen ? html`<div class="disclosed" tabindex="0">${this.#content()}</div>` : nothing}
      `,
      this,
    );
  }
}

customElements.define("console-disclosure", Disclosure);
