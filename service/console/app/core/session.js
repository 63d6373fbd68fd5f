/** @typedef {import("../types.d.ts").Theme} Theme */

const TOKEN = "console.token"; // boot.js has these names too
const THEME = "console.theme";

/** Keeps the token for this tab alone, and the theme for this browser. Where the browser keeps nothing, this page does. */
export class Session {
  /** @type {string | null} */
  #token = read(() => sessionStorage, TOKEN);

  get token() {
    return this.#token;
  }

  /** @param {string | null} token */
  set token(token) {
    this.#token = token;
    write(() => sessionStorage, TOKEN, token);
  }

  /** The theme that a person has chosen; null: that of the system. @returns {Theme | null} */
  get theme() {
    const theme = read(() => localStorage, THEME);
    return theme === "light" || theme === "dark" ? theme : null;
  }

  /** @param {Theme | null} theme */
  set theme(theme) {
    write(() => localStorage, THEME, theme);
  }
}

/**
 * @param {() => Storage} storage It throws where the browser was told to keep nothing.
 * @param {string} name
 */
function read(storage, name) {
  try {
    return storage().getItem(name);
  } catch {
    return null;
  }
}

/**
 * @param {() => Storage} storage
 * @param {string} name
 * @param {string | null} value
 */
function write(storage, name, value) {
  try {
    if (value === null) storage().removeItem(name);
    else storage().setItem(name, value);
  } catch {
    // Then it lasts as long as this page.
  }
}
