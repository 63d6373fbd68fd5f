import { TAGS } from "./api.js";
import { ApiError } from "./failures.js";
import { listen } from "./stream.js";

/** @typedef {import("./api.js").Api} Api */
/** @typedef {import("./loader.js").Loader} Loader */
/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("./store.js").Store} Store */
/** @typedef {import("../types.d.ts").Statistics} Statistics */

const REST_MS = 5000;
const SPREAD_MS = 3000; // all pages of a project hear of a change in one instant, and do not ask in one

/** Brings statistics as they change, while a person wants that. What else is shown is asked again after a change. */
export class Live {
  #listening = new AbortController();
  #address = "";
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {Store} store
   * @param {Api} api
   * @param {Session} session
   * @param {Loader} loader
   */
  constructor(store, api, session, loader) {
    this.store = store;
    this.api = api;
    this.session = session;
    this.loader = loader;
  }

  /** Follows what is shown from now on. */
  start() {
    this.store.subscribe(() => this.#follow());
  }

  /** Listens to the question that is shown, and to no other. */
  #follow() {
    const { caller, isLive, shown, view } = this.store.state;
    const { token } = this.session;
    const address = isLive && caller && shown && token ? this.api.streamAddress(caller.projectId, shown.bounds) : "";
    if (address === this.#address) return;
    let isOther = this.#address !== ""; // what was open stays open to the eye, unless the next one breaks
    this.#address = address;
    this.#listening.abort();
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    if (address === "" || !token) {
      this.store.change({ stream: "off" });
      return;
    }
    const unless = (/** @type {() => void} */ tell) => {
      if (!signal.aborted) tell();
    };
    void listen({
      url: address,
      token,
      language: TAGS[view.language],
      signal,
      onStatistics: (statistics) => unless(() => this.#changed(statistics)),
      onAsOf: (asOfMs) => unless(() => this.#show({ asOfMs })),
      onState: (stream) =>
        unless(() => {
          if (!isOther || stream !== "connecting") this.store.change({ stream });
          isOther = false;
        }),
      onEnd: (kind) => unless(() => this.#ended(kind)),
    });
  }

  /** @param {Statistics} statistics */
  #changed(statistics) {
    const { horizonMs, gaps, ...figures } = statistics; // a stream does not say these two
    this.#show(figures);
    const restMs = Math.max(0, this.loader.askedAtMs + REST_MS - this.loader.nowMs());
    const waitMs = Math.min(REST_MS, restMs); // the clock may have been put back
    this.#timer ??= setTimeout(() => this.#askRest(), waitMs + Math.random() * SPREAD_MS);
  }

  /** @param {Partial<Statistics>} change */
  #show(change) {
    const { shown } = this.store.state;
    if (!shown || (change.asOfMs ?? 0) < shown.statistics.asOfMs) return;
    this.store.change({ shown: { ...shown, statistics: { ...shown.statistics, ...change } } });
  }

  #askRest() {
    this.#timer = undefined;
    if (document.hidden || !this.#address) return;
    // A question that is under way may be older than the change; in its place another would never be answered.
    if (this.loader.isAsking) this.#timer = setTimeout(() => this.#askRest(), REST_MS);
    else void this.loader.load({ isQuiet: true });
  }

  /** @param {import("../types.d.ts").FailureKind} kind */
  #ended(kind) {
    this.store.change({ isLive: false });
    this.loader.failed(new ApiError(kind));
  }
}
