const PAGE = 10;

/** @type {Record<string, (index: number, rows: number) => number>} */
const STEPS = {
  ArrowDown: (index) => index + 1,
  ArrowUp: (index) => index - 1,
  PageDown: (index) => index + PAGE,
  PageUp: (index) => index - PAGE,
  Home: () => 0,
  End: (_, rows) => rows - 1,
};

/**
 * Returns the row to which a key leads from a row; null for a key that leads nowhere.
 *
 * @param {string} key
 * @param {number} index
 * @param {number} rows
 */
export function rowAfter(key, index, rows) {
  const step = STEPS[key];
  return step ? Math.max(0, Math.min(rows - 1, step(index, rows))) : null;
}
