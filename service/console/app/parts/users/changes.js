import { keysOf } from "./rows.js";

/** @typedef {import("../../types.d.ts").Shown} Shown */
/** @typedef {import("../../types.d.ts").UserRow} UserRow */
/** @typedef {import("./rows.js").Column} Column */
/** @typedef {import("./rows.js").Entry} Entry */

const MARKED_MS = 2000;

/** Knows which figures of the newest answer are others than before, for as long as that is news. */
export class Changes {
  /** @type {ReadonlyMap<string, UserRow>} */
  #before = new Map();
  #atMs = -MARKED_MS;
  #times = 0;

  /**
   * Takes a newer answer in the place of an older one. Of another range nothing is news.
   *
   * @param {Shown} older
   * @param {Shown} newer
   * @param {number} nowMs
   */
  take(older, newer, nowMs) {
    const isSame = JSON.stringify(older.view.range) === JSON.stringify(newer.view.range);
    const users = older.statistics.users ?? [];
    const keys = keysOf(users);
    this.#before = new Map(users.map((row, at) => [keys[at] ?? "", row]));
    this.#atMs = isSame ? nowMs : -MARKED_MS;
    this.#times += 1;
  }

  /**
   * Returns the class of a figure that has changed: another one each time, so that its mark begins anew.
   *
   * @param {Entry} entry
   * @param {Column} column
   * @param {number} nowMs
   */
  classOf({ key, row }, column, nowMs) {
    if (nowMs - this.#atMs >= MARKED_MS) return "";
    return this.#before.get(key)?.[column] === row[column] ? "" : `changed-${this.#times % 2}`;
  }
}
