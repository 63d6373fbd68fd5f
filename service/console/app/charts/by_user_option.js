/** @typedef {import("../types.d.ts").UserRow} UserRow */
/** @typedef {import("./look.js").Look} Look */

const MOST_BARS = 10;
const FADED = 0.3;

/**
 * A bar: the input of a user, or of so many that come after the largest.
 *
 * @typedef {{ name: string | null, users: number, inputBytes: bigint }} InputBar `name` is null for the rest.
 */

/**
 * Returns the users with the most bytes, largest first, and the rest of them in one. Users of one name count together.
 * The one that is looked at has a bar of its own.
 *
 * @param {readonly UserRow[]} users
 * @param {string | null} user
 * @returns {InputBar[]}
 */
export function inputBars(users, user) {
  /** @type {Map<string, bigint>} */
  const sums = new Map();
  for (const { name, inputBytes } of users) sums.set(name, (sums.get(name) ?? 0n) + inputBytes);
  const sorted = [...sums]
    .map(([name, inputBytes]) => ({ name, users: 1, inputBytes }))
    .sort((a, b) => (a.inputBytes === b.inputBytes ? (a.name < b.name ? -1 : 1) : a.inputBytes > b.inputBytes ? -1 : 1));
  const isOwn = (/** @type {number} */ at, /** @type {string} */ name) => at < MOST_BARS || name === user;
  const bars = sorted.filter(({ name }, at) => isOwn(at, name));
  const rest = sorted.filter(({ name }, at) => !isOwn(at, name));
  if (rest.length === 0) return bars;
  return [...bars, { name: null, users: rest.length, inputBytes: rest.reduce((sum, row) => sum + row.inputBytes, 0n) }];
}

/**
 * What bars of users show.
 *
 * @typedef {object} Bars
 * @property {readonly InputBar[]} bars
 * @property {string | null} user The one that stands out.
 * @property {(bar: InputBar) => string} nameOf
 * @property {(value: number) => string} size
 */

/**
 * Returns the option of ECharts.
 *
 * @param {Bars} shown
 * @param {Look} look
 * @param {boolean} isStill
 */
export function byUserOption({ bars, user, nameOf, size }, look, isStill) {
  return {
    animation: !isStill,
    animationDuration: 200,
    animationDurationUpdate: 200,
    grid: { left: 4, right: 20, top: 4, bottom: 4, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
    xAxis: {
      type: "value",
      splitNumber: 3,
      splitLine: { lineStyle: { color: look.line } },
      axisLabel: { color: look.quiet, fontFamily: look.font, fontSize: look.fontPx, hideOverlap: true, formatter: size },
    },
    yAxis: {
      type: "category",
      inverse: true,
      data: bars.map(nameOf),
      axisLine: { lineStyle: { color: look.line } },
      axisTick: { show: false },
      axisLabel: { color: look.text, fontFamily: look.font, fontSize: look.fontPx, width: 110, overflow: "truncate", interval: 0 },
    },
    series: {
      id: "input",
      type: "bar",
      barCategoryGap: "30%",
      silent: true,
      data: bars.map(({ name, inputBytes }) => ({
        value: Number(inputBytes),
        itemStyle: {
          color: name === null ? look.quiet : look.input,
          opacity: user === null || user === name ? 1 : FADED,
        },
      })),
    },
  };
}
