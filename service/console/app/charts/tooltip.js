/**
 * One line of a tooltip.
 *
 * @typedef {{ mark?: string, name: string, value: string }} Line `mark` is the class of a mark: `failed`.
 */

/**
 * Returns what a tooltip shows.
 *
 * @param {string} title
 * @param {Line[]} lines
 * @param {string} [note]
 */
export function tooltip(title, lines, note) {
  const node = document.createElement("div");
  node.append(piece("strong", title));
  if (note) node.append(piece("em", note));
  const list = document.createElement("dl");
  for (const { mark, name, value } of lines) {
    const term = piece("dt", "");
    if (mark) term.append(piece("span", "", `chart-mark ${mark}`));
    term.append(name);
    list.append(term, piece("dd", value));
  }
  node.append(list);
  return node;
}

/**
 * @param {string} tag
 * @param {string} text
 * @param {string} [className]
 */
function piece(tag, text, className = "") {
  const element = document.createElement(tag);
  element.textContent = text;
  element.className = className;
  return element;
}

const AWAY = 14; // pixels between the pointer and what it shows

/** Shows something beside the pointer, within the chart, also on a phone. */
export class Tip {
  #box = document.createElement("div");

  /** @param {HTMLElement} ground What the chart is drawn on. */
  constructor(ground) {
    this.ground = ground;
    this.#box.className = "chart-tooltip";
    this.hide();
    ground.append(this.#box);
  }

  hide() {
    this.#box.hidden = true;
  }

  /**
   * @param {HTMLElement} content
   * @param {number} x
   * @param {number} y
   */
  show(content, x, y) {
    this.#box.replaceChildren(content);
    this.#box.hidden = false;
    const { clientWidth, clientHeight } = this.ground;
    const { offsetWidth, offsetHeight } = this.#box;
    const left = x + AWAY + offsetWidth <= clientWidth ? x + AWAY : x - AWAY - offsetWidth;
    this.#box.style.left = `${Math.max(0, Math.min(left, clientWidth - offsetWidth))}px`;
    this.#box.style.top = `${Math.max(0, Math.min(y + AWAY, clientHeight - offsetHeight))}px`;
  }
}
