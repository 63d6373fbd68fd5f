/**
 * One line of a tooltip.
 *
 * @typedef {{ mark?: string, name: string, value: string }} Line `mark` is the class of a mark: `failed`.
 */

/**
 * Returns what a tooltip shows. It is made of nodes, since the page's policy blocks the styles of ECharts' own text.
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

/**
 * Returns what all tooltips share: they stay within their chart, also on a phone.
 *
 * @param {(index: number) => HTMLElement} content Of the place in the data.
 * @param {object} how
 */
export function tooltipOption(content, how) {
  return {
    confine: true,
    className: "chart-tooltip",
    padding: 0,
    borderWidth: 0,
    backgroundColor: "transparent",
    extraCssText: "box-shadow: none",
    transitionDuration: 0,
    ...how,
    /** @param {{ dataIndex: number } | { dataIndex: number }[]} hit */
    formatter: (hit) => content((Array.isArray(hit) ? hit[0] : hit)?.dataIndex ?? 0),
  };
}
