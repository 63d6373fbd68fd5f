/** @typedef {import("../types.d.ts").State} State */

/** Holds the state of the page. It tells its listeners once for all changes of one turn. */
export class Store {
  /** @type {State} */
  #state;
  /** @type {Set<() => void>} */
  #listeners = new Set();
  #isTelling = false;

  /** @param {State} state */
  constructor(state) {
    this.#state = state;
  }

  get state() {
    return this.#state;
  }

  /** @param {Partial<State>} change */
  change(change) {
    this.#state = { ...this.#state, ...change };
    if (this.#isTelling) return;
    this.#isTelling = true;
    queueMicrotask(() => {
      this.#isTelling = false;
      for (const listener of this.#listeners) listener();
    });
  }

  /** @param {() => void} listener */
  subscribe(listener) {
    this.#listeners.add(listener);
  }
}
