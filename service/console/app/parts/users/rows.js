import { LOCALES } from "../../words/words.js";

/** @typedef {import("../../types.d.ts").Language} Language */
/** @typedef {import("../../types.d.ts").Status} Status */
/** @typedef {import("../../types.d.ts").UserRow} UserRow */
/** @typedef {"name" | Status | "inputBytes"} Column */
/** @typedef {{ column: Column, isDescending: boolean }} Order */
/** @typedef {{ key: string, searched: string, row: UserRow, rank: number }} Entry A user: `key` is its own, also where
    users have one name; `rank` is its place by name. */

/**
 * Returns a key for each user that is its own: its name, and its place among those who have the same. An answer has
 * users in an order that lasts.
 *
 * @param {readonly UserRow[]} users
 */
export function keysOf(users) {
  /** @type {Map<string, number>} */
  const seen = new Map();
  return users.map(({ name }) => {
    const times = seen.get(name) ?? 0;
    seen.set(name, times + 1);
    return `${times} ${name}`;
  });
}

/** Finds and sorts users. What stays the same from one answer to the next is not worked out again. */
export class Rows {
  /** @type {readonly UserRow[]} */
  #users = [];
  /** @type {Language | null} */
  #language = null;
  /** @type {Entry[]} In the order of the answer. */
  #entries = [];

  /**
   * Returns the users whose names contain what is searched for, sorted; those who are alike by name. Where nothing is
   * searched for, a user who was chosen is there alone.
   *
   * @param {readonly UserRow[]} users
   * @param {Language} language
   * @param {string} search
   * @param {string | null} chosen
   * @param {Order} order
   */
  of(users, language, search, chosen, { column, isDescending }) {
    if (users !== this.#users || language !== this.#language) this.#take(users, language);
    const wanted = foldedOf(search.trim());
    const isAlone = chosen !== null && wanted === "";
    const found = this.#entries.filter(({ searched, row }) => (isAlone ? row.name === chosen : searched.includes(wanted)));
    const sign = isDescending ? -1 : 1;
    if (column === "name") return found.sort((one, other) => sign * (one.rank - other.rank));
    return found.sort(({ row: one, rank }, { row: other, rank: otherRank }) => {
      const difference = one[column] < other[column] ? -1 : one[column] > other[column] ? 1 : 0;
      return sign * difference || rank - otherRank;
    });
  }

  /**
   * @param {readonly UserRow[]} users
   * @param {Language} language
   */
  #take(users, language) {
    const isNamedAlike =
      language === this.#language &&
      users.length === this.#users.length &&
      users.every(({ name }, index) => name === this.#users[index]?.name);
    this.#users = users;
    this.#language = language;
    if (isNamedAlike) this.#entries.forEach((entry, index) => (entry.row = users[index] ?? entry.row));
    else this.#entries = entriesOf(users, language);
  }
}

/**
 * @param {readonly UserRow[]} users
 * @param {Language} language
 */
function entriesOf(users, language) {
  const keys = keysOf(users);
  const entries = users.map((row, at) => ({ key: keys[at] ?? "", searched: foldedOf(row.name), row, rank: 0 }));
  const { compare } = new Intl.Collator(LOCALES[language], { numeric: true });
  const sorted = entries.toSorted((one, other) => compare(one.row.name, other.row.name));
  for (const [rank, entry] of sorted.entries()) entry.rank = rank;
  return entries;
}

/** Returns a text as it is compared: neither case nor the way in which a character is composed matters. @param {string} text */
function foldedOf(text) {
  return text.normalize("NFC").toLowerCase();
}
