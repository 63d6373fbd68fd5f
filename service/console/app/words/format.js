import { LOCALES, words } from "./words.js";

/** @typedef {import("../types.d.ts").Bounds} Bounds */
/** @typedef {import("../types.d.ts").Language} Language */

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
const SEEN_SHARE = 0.001; // the least that a share's one decimal can show
const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** Writes figures as a language does, and instants by the clock of a time zone. */
export class Format {
  /**
   * @param {Language} language
   * @param {string} timeZone
   */
  constructor(language, timeZone) {
    const locale = LOCALES[language];
    this.t = words(language);
    this.timeZone = timeZone;
    this.numbers = new Intl.NumberFormat(locale);
    this.short = new Intl.NumberFormat(locale, { maximumSignificantDigits: 3 });
    this.signed = new Intl.NumberFormat(locale, { signDisplay: "exceptZero" });
    this.shares = new Intl.NumberFormat(locale, { style: "percent", signDisplay: "exceptZero", maximumFractionDigits: 1 });
    this.parts = new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 1 });
    this.instants = new Intl.DateTimeFormat(locale, { timeZone, dateStyle: "medium", timeStyle: "short", hourCycle: "h23" });
    this.times = new Intl.DateTimeFormat(locale, { timeZone, timeStyle: "medium", hourCycle: "h23" });
    this.precise = new Intl.DateTimeFormat(locale, {
      timeZone,
      dateStyle: "medium",
      timeStyle: "medium",
      hourCycle: "h23",
    });
    this.offsets = new Intl.DateTimeFormat(locale, { timeZone, timeZoneName: "longOffset" });
  }

  /** @param {number | bigint} value */
  number(value) {
    return this.numbers.format(value);
  }

  /** Returns a difference, with its sign. @param {number | bigint} value */
  change(value) {
    return typeof value === "bigint" ? this.#signOf(value) + this.bytes(value < 0n ? -value : value) : this.signed.format(value);
  }

  /** Returns a difference as a share of what was: `+12.5%`, and from ten times as much on `×12`. @param {number} share */
  share(share) {
    if (share !== 0 && Math.abs(share) < SEEN_SHARE / 2) return `< ${this.parts.format(SEEN_SHARE)}`;
    return share < 9 ? this.shares.format(share) : `×${this.short.format(share + 1)}`;
  }

  /** Returns how much of a whole it is: 0% and 100% are said of nothing and of all alone. @param {number} share */
  part(share) {
    if (share > 0 && share < SEEN_SHARE / 2) return `< ${this.parts.format(SEEN_SHARE)}`;
    if (share < 1 && share >= 1 - SEEN_SHARE / 2) return `> ${this.parts.format(1 - SEEN_SHARE)}`;
    return this.parts.format(share);
  }

  /** Returns bytes in a unit of 1000 steps, with three digits: `128 TB`. @param {bigint} bytes */
  bytes(bytes) {
    let unit = 0;
    let value = Number(bytes);
    while (unit < UNITS.length - 1 && value >= 999.5) {
      value /= 1000;
      unit += 1;
    }
    return `${this.short.format(value)} ${UNITS[unit]}`;
  }

  /** Returns all digits of bytes. @param {bigint} bytes */
  exactBytes(bytes) {
    return `${this.numbers.format(bytes)} B`;
  }

  /** Returns date and minute. @param {number} ms */
  instant(ms) {
    return this.instants.format(ms);
  }

  /** Returns date and second. @param {number} ms */
  second(ms) {
    return this.precise.format(ms);
  }

  /** Returns the time of the day. @param {number} ms */
  time(ms) {
    return this.times.format(ms);
  }

  /** Returns the zone and how far it is off UTC at an instant: `Asia/Shanghai, GMT+08:00`. @param {number} ms */
  zone(ms) {
    const offset = this.offsets.formatToParts(ms).find((part) => part.type === "timeZoneName")?.value;
    return offset && offset !== this.timeZone && this.timeZone !== "UTC" ? `${this.timeZone}, ${offset}` : this.timeZone;
  }

  /** Returns a length of time in its largest unit: `12 s`. @param {number} ms */
  duration(ms) {
    if (ms < MINUTE_MS) return this.t("duration.seconds", { n: Math.max(0, Math.floor(ms / SECOND_MS)) });
    if (ms < HOUR_MS) return this.t("duration.minutes", { n: Math.floor(ms / MINUTE_MS) });
    if (ms < 2 * DAY_MS) return this.t("duration.hours", { n: Math.floor(ms / HOUR_MS) });
    return this.t("duration.days", { n: Math.floor(ms / DAY_MS) });
  }

  /** Returns bounds in words. @param {Bounds} bounds */
  bounds({ fromMs, toMs }) {
    if (fromMs === null) return toMs === null ? this.t("bounds.all") : this.t("bounds.until", { end: this.instant(toMs) });
    if (toMs === null) return this.t("bounds.since", { start: this.instant(fromMs) });
    return this.t("bounds.between", { start: this.instant(fromMs), end: this.instant(toMs) });
  }

  /** @param {bigint} value */
  #signOf(value) {
    return value > 0n ? "+" : value < 0n ? "−" : "";
  }
}

/** @type {Map<string, Format>} */
const formats = new Map();

/**
 * Returns the format of a language and a time zone: the same one each time, since it takes a while to make one.
 *
 * @param {{ language: Language, timeZone: string }} view
 */
export function formatOf({ language, timeZone }) {
  const key = `${language} ${timeZone}`;
  let format = formats.get(key);
  if (!format) {
    format = new Format(language, timeZone);
    formats.set(key, format);
  }
  return format;
}
