/** @typedef {import("../types.d.ts").Bounds} Bounds */

/**
 * Returns those rows of the service's CSV that are of users with a name, and the header.
 *
 * A name stands first, in quotes. The service puts an apostrophe before a name that a spreadsheet would calculate, and
 * before one that begins with an apostrophe itself: so the first may always be taken off. No name has a line break.
 *
 * @param {string} csv
 * @param {string} user
 */
export function rowsOf(csv, user) {
  const [header = "", ...rows] = csv.split("\r\n");
  const own = rows.filter((row) => {
    const name = /^"((?:[^"]|"")*)"/.exec(row)?.[1]?.replaceAll('""', '"');
    return name?.replace(/^'/, "") === user;
  });
  return [header, ...own, ""].join("\r\n");
}

/**
 * Returns a name for the file: whose figures it has, and of which start times, in UTC.
 *
 * @param {string} projectId
 * @param {Bounds} bounds
 * @param {string | null} user
 */
export function fileName(projectId, { fromMs, toMs }, user) {
  const instants = [fromMs, toMs].map((ms) => (ms === null ? "" : compact(ms)));
  const range = instants[0] || instants[1] ? `${instants[0] || "start"}-${instants[1] || "now"}` : "all";
  const name = user === null ? [] : [user.replace(/[^\p{L}\p{N}_-]+/gu, "_").slice(0, 40)];
  return `${["statistics", projectId, range, ...name].join("-")}.csv`;
}

/** Returns `20261126T2105Z`. @param {number} ms */
function compact(ms) {
  return `${new Date(ms).toISOString().slice(0, 16).replaceAll(/[-:]/g, "")}Z`;
}
