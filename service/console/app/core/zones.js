/** Instants and the wall clock of a time zone, by what the browser knows of zones. */

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const LAST_MS = 8.64e15; // of JavaScript's dates; the service takes instants a little later than these

/** The last instant that the page can write, in any time zone, Unix ms. */
export const LAST_WRITTEN_MS = LAST_MS - DAY_MS;

const TEXT = /^(\d{4,6})-(\d\d)-(\d\d)T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,3}))?)?$/;

/** @type {Map<string, Intl.DateTimeFormat>} */
const formats = new Map();

/** @param {string} zone */
function formatOf(zone) {
  let format = formats.get(zone);
  if (!format) {
    const [numeric, hourCycle] = /** @type {const} */ (["numeric", "h23"]);
    const parts = { year: numeric, month: numeric, day: numeric, hour: numeric, minute: numeric, second: numeric };
    format = new Intl.DateTimeFormat("en", { timeZone: zone, calendar: "iso8601", hourCycle, ...parts });
    formats.set(zone, format);
  }
  return format;
}

/**
 * Returns the name of a time zone as the service knows it; null for what is no name. A browser takes names in any case,
 * and offsets such as `+05:30` for zones: the service does not.
 *
 * @param {string} name
 */
export function zoneNamed(name) {
  if (!/^[a-z]/i.test(name)) return null;
  try {
    const { timeZone } = formatOf(name).resolvedOptions();
    return timeZone.toLowerCase() === name.toLowerCase() ? timeZone : name;
  } catch {
    return null;
  }
}

/** Returns the names of all time zones that the browser knows, with UTC first. */
export function zoneNames() {
  return ["UTC", ...Intl.supportedValuesOf("timeZone").filter((name) => name !== "UTC")];
}

/** Returns the time zone of this machine. */
export function ownZone() {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
}

/**
 * Returns what the clock of a zone shows, counted as if it were UTC.
 *
 * @param {number} ms
 * @param {string} zone
 */
function wallMs(ms, zone) {
  /** @type {Record<string, number>} */
  const part = {};
  for (const { type, value } of formatOf(zone).formatToParts(ms)) part[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part;
  return Date.UTC(year, month - 1, day, hour, minute, second) + (ms % 1000);
}

/**
 * Returns the text of an input `datetime-local` for an instant: no finer than it must be.
 *
 * @param {number} ms
 * @param {string} zone
 */
export function wallText(ms, zone) {
  const text = new Date(wallMs(Math.min(ms, LAST_WRITTEN_MS), zone)).toISOString().replace(/^\+0*/, "").slice(0, -1);
  return text.replace(/\.000$/, "").replace(/(T\d\d:\d\d):00$/, "$1");
}

/**
 * Returns the instants at which the clock of a zone shows a text: one; two where the clock is put back; and the instant
 * of the jump where it is put forward over the text. None for what is no time.
 *
 * @param {string} text Of an input `datetime-local`.
 * @param {string} zone
 * @returns {number[]}
 */
export function instantsOf(text, zone) {
  const found = TEXT.exec(text);
  if (!found) return [];
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = found.slice(1, 7).map((each) => Number(each ?? 0));
  if (year < 1900) return []; // before there were zones, and before all jobs
  const wanted = Date.UTC(year, month - 1, day, hour, minute, second) + Number((found[7] ?? "0").padEnd(3, "0"));
  if (!(Math.abs(wanted) < LAST_MS - 2 * DAY_MS) || new Date(wanted).getUTCDate() !== day) return [];
  const before = wanted - (wallMs(wanted - DAY_MS, zone) - (wanted - DAY_MS));
  const after = wanted - (wallMs(wanted + DAY_MS, zone) - (wanted + DAY_MS));
  const exact = [...new Set([before, after])].filter((ms) => wallMs(ms, zone) === wanted).sort((a, b) => a - b);
  return exact.length > 0 ? exact : [jumpBetween(Math.min(before, after), Math.max(before, after), zone, wanted)];
}

/**
 * Returns the first instant whose wall clock is past a text that the clock never shows.
 *
 * @param {number} low
 * @param {number} high
 * @param {string} zone
 * @param {number} wanted
 */
function jumpBetween(low, high, zone, wanted) {
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (wallMs(middle, zone) > wanted) high = middle;
    else low = middle;
  }
  return high;
}
