import { save } from "../core/saving.js";

/** What a spreadsheet might take for a formula, as the service has it: also in full width, and after what is not seen. */
const FORMULA = /^[\s\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]*[=+\-@\t\r\u2212']/;

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
  const text = FORMULA.test(value.normalize("NFKC")) ? `'${value}` : value;
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
