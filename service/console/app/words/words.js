import { en } from "./en.js";
import { zh } from "./zh.js";

/** @typedef {import("../types.d.ts").Language} Language */
/** @typedef {keyof typeof en} Key */
/** @typedef {Record<string, string | number>} Values */
/** @typedef {(key: Key, values?: Values) => string} Translate */

/** The tags of languages, for `lang` and for Intl. */
export const LOCALES = { en: "en", zh: "zh-CN" };
/** @type {Record<Language, Record<Key, string>>} */
const WORDS = { en, zh };

/** @type {Map<Language, Translate>} */
const translators = new Map();

/**
 * Returns what says a text in a language: `t(key, values)`. Numbers among the values are written as the language does.
 * A text of several forms, between bars, has that of `{n}`: `one|other`.
 *
 * @param {Language} language
 * @returns {Translate}
 */
export function words(language) {
  const known = translators.get(language);
  if (known) return known;
  const plurals = new Intl.PluralRules(LOCALES[language]);
  const numbers = new Intl.NumberFormat(LOCALES[language]);
  /** @type {Translate} */
  const translate = (key, values = {}) => {
    const [one = "", other = one] = WORDS[language][key].split("|");
    const form = plurals.select(Number(values.n ?? 0)) === "one" ? one : other;
    return form.replace(/\{(\w+)\}/g, (_, name) => {
      const value = values[name] ?? "";
      return typeof value === "number" ? numbers.format(value) : value;
    });
  };
  translators.set(language, translate);
  return translate;
}
