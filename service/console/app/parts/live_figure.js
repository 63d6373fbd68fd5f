/** @typedef {{ value: number | bigint, text: string, question: string }} Figure `question`: what the figure answers. */

/** A figure that marks itself when it changes: not when it comes to answer another question. */
class LiveFigureElement extends HTMLElement {
  /** @type {Figure | null} */
  #figure = null;
  #times = 0;

  /** @param {Figure} figure */
  set figure(figure) {
    const before = this.#figure;
    this.#figure = figure;
    if (before?.text !== figure.text) {
      this.textContent = figure.text;
      this.style.setProperty("--length", String(figure.text.length)); // a long one is written smaller
    }
    if (!before || before.value === figure.value) return;
    this.#times += 1;
    // Another class each time, so that the mark begins anew.
    this.className = before.question === figure.question ? `changed-${this.#times % 2}` : "";
  }
}

customElements.define("console-figure", LiveFigureElement);
