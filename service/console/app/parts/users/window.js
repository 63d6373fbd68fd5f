const ALL = 300; // a table with so many rows has them all
const BEFORE = 12; // rows beyond what is seen, so that a short way of scrolling finds them drawn
const FROM = 40; // rows from the first that is seen on: more than the highest table shows

/** @typedef {{ gap: number } | { index: number }} Piece Either a row, or so many rows that are left out. */

/**
 * Returns which rows a table has to have, from the first to the last, with gaps between them.
 *
 * @param {number} rows
 * @param {number} first The first that is seen.
 * @param {number} kept One that has to be there: it has the focus.
 * @returns {Piece[]}
 */
export function piecesOf(rows, first, kept) {
  const from = rows <= ALL ? 0 : Math.max(0, Math.min(first, rows - FROM) - BEFORE);
  const to = rows <= ALL ? rows : Math.min(rows, first + FROM);
  const indices = Array.from({ length: to - from }, (_, at) => from + at);
  if (kept >= 0 && kept < from) indices.unshift(kept);
  if (kept >= to && kept < rows) indices.push(kept);
  /** @type {Piece[]} */
  const pieces = [];
  let next = 0;
  for (const index of indices) {
    if (index > next) pieces.push({ gap: index - next });
    pieces.push({ index });
    next = index + 1;
  }
  if (rows > next) pieces.push({ gap: rows - next });
  return pieces;
}
