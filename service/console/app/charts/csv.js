import { save } from "../core/saving.js";

/** What a spreadsheet might take for a formula, as the service has it: also in full width, and after what is not seen. */
const FORMULA =
  /^[\s\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\ufe00-\ufe0f\ufeff\ufff0-\ufff8\u{1bca0}-\u{1bca3}\u{1d173}-\u{1d17a}\u{e0000}-\u{e0fff}]*[=+\-@\t\r\u2212']/u;

/**
 * Returns CSV as the service writes it (RFC 4180): a header, a line for each row, CRLF. A text that a spreadsheet would
 * take for a formula has an apostrophe before it.
 *
 * @param {readonly string[]} header
 * @param {readonly (readonly (string | number | bigint | boolean)[])[]} rows
 */
export function csvText(header, rows) {
  return [header, ...rows].map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

/** @param {string | number | bigint | boolean} value */
function cell(value) {
  if (typeof value !== "string") return String(value);
  const text = FORMULA.test(value.normalize("NFKD")) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * Saves CSV under a name.
 *
 * @param {string} text
 * @param {string} name
 */
export function saveCsv(text, name) {
  save(new Blob([text], { type: "text/csv;charset=utf-8" }), name);
}
