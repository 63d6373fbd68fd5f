import { ApiError } from "./failures.js";
import { ask } from "./loading.js";
import { boundsGoingOn, boundsOf } from "./ranges.js";

/** @typedef {import("./api.js").Api} Api */
/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("./store.js").Store} Store */
/** @typedef {import("../types.d.ts").Shown} Shown */

/** Keeps what is shown to what is to be seen: one question at a time, the newest. */
export class Loader {
  #asking = new AbortController();
  #failures = 0;

  /**
   * @param {Api} api
   * @param {Store} store
   * @param {Session} session
   * @param {() => number} nowMs
   */
  constructor(api, store, session, nowMs) {
    this.api = api;
    this.store = store;
    this.session = session;
    this.nowMs = nowMs;
    /** When the last question was asked, Unix ms. */
    this.askedAtMs = 0;
    /** Whether an answer is awaited. */
    this.isAsking = false;
  }

  /**
   * Asks for what is to be seen now, and shows it once all of it is there. What is shown stays until then.
   *
   * @param {{ isQuiet?: boolean }} [how] Quiet where nobody waits for it.
   */
  async load({ isQuiet = false } = {}) {
    const { caller, shown: before, view } = this.store.state;
    const { token } = this.session;
    if (!caller || token === null) return;
    const { signal } = this.#replace();
    this.askedAtMs = this.nowMs();
    this.isAsking = true;
    if (!isQuiet) this.store.change({ isLoading: true });
    try {
      const asking = { token, language: view.language, signal };
      const onFirst = (/** @type {Shown} */ first) => {
        if (!signal.aborted && this.store.state.shown === null) this.store.change({ shown: first });
      };
      const nowMs = this.askedAtMs;
      const bounds = isQuiet ? boundsGoingOn(view.range, nowMs, before?.bounds) : boundsOf(view.range, nowMs);
      const shown = await ask(this.api, caller, view, bounds, nowMs, asking, isQuiet && before ? null : onFirst);
      if (signal.aborted) return;
      this.#failures = 0;
      this.store.change({ shown: this.#newest(shown), isLoading: false, failure: null });
    } catch (error) {
      if (!signal.aborted) this.failed(error);
    } finally {
      if (!signal.aborted) this.isAsking = false;
    }
  }

  /** Asks for nothing any more. */
  stop() {
    this.#replace().abort();
    this.isAsking = false;
    this.store.change({ isLoading: false });
  }

  /**
   * Shows a failure beside what was shown before. A token that is refused signs out.
   *
   * @param {unknown} error
   */
  failed(error) {
    if (!(error instanceof ApiError)) throw error;
    this.#failures += 1;
    const nowMs = this.nowMs();
    const failure = error.toFailure(nowMs, this.#failures);
    this.store.change({ failure, nowMs, isLoading: false });
    if (failure.kind !== "signed-out") return;
    this.store.change({ endedAsOfMs: this.store.state.shown?.statistics.asOfMs ?? null });
    this.forget();
  }

  /** Forgets who has signed in, and all that was seen, but for the view. */
  forget() {
    this.stop();
    this.session.token = null;
    this.store.change({ caller: null, shown: null, stream: "off" });
  }

  /**
   * Returns what is shown now: never an older answer to the same question than the live one that came meanwhile.
   *
   * @param {Shown} shown
   * @returns {Shown}
   */
  #newest(shown) {
    const { shown: before, view } = this.store.state;
    const isSame = before?.bounds.fromMs === shown.bounds.fromMs && before.bounds.toMs === shown.bounds.toMs;
    const isOlder = isSame && before.statistics.asOfMs > shown.statistics.asOfMs;
    return { ...shown, view, statistics: isOlder ? before.statistics : shown.statistics };
  }

  #replace() {
    this.#asking.abort();
    this.#asking = new AbortController();
    return this.#asking;
  }
}
