import { writeView } from "./address.js";
import { ApiError } from "./failures.js";
import { boundsOf } from "./ranges.js";
import { save } from "./saving.js";
import { fileName, rowsOf } from "./user_csv.js";

/** @typedef {import("./api.js").Api} Api */
/** @typedef {import("./loader.js").Loader} Loader */
/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("./store.js").Store} Store */
/** @typedef {import("../types.d.ts").Actions} Actions */
/** @typedef {import("../types.d.ts").Caller} Caller */
/** @typedef {import("../types.d.ts").View} View */

/** @type {readonly (keyof View)[]} What the service is asked anew for. */
const ASKED = ["range", "user", "interval", "timeZone"];

/**
 * Returns what a person can do.
 *
 * @param {Store} store
 * @param {Api} api
 * @param {Session} session
 * @param {Loader} loader
 * @returns {Actions}
 */
export function createActions(store, api, session, loader) {
  let signingIn = new AbortController();
  const asking = (/** @type {string} */ token, { signal } = new AbortController()) => {
    return { token, language: store.state.view.language, signal };
  };

  return {
    async signIn(token) {
      signingIn.abort(); // whoever signs in last is meant, whichever answer comes last
      signingIn = new AbortController();
      const { signal } = signingIn;
      store.change({ isLoading: true, failure: null });
      try {
        const caller = await api.caller(asking(token, signingIn));
        if (signal.aborted) return;
        session.token = token;
        store.change({ caller, shown: null, endedAsOfMs: null, view: permitted(store.state.view, caller) });
        await loader.load();
      } catch (error) {
        if (signal.aborted) return;
        loader.failed(error);
        if (store.state.failure?.retryAtMs === null) session.token = null;
      }
    },
    signOut() {
      loader.forget();
      store.change({ failure: null, endedAsOfMs: null });
    },
    see(change) {
      const before = store.state.view;
      const view = { ...before, ...change };
      if (writeView(view) !== writeView(before)) history.pushState(null, "", writeView(view));
      if (change.isWall) store.change({ isLive: true });
      show(store, loader, view);
    },
    setTheme(theme) {
      session.theme = theme;
      document.documentElement.dataset.theme = theme;
      store.change({ theme });
    },
    setLive(isLive) {
      store.change({ isLive });
      if (isLive) void loader.load({ isQuiet: true });
    },
    refresh() {
      void loader.load();
    },
    async downloadCsv() {
      const { caller, view } = store.state;
      const { token } = session;
      if (!caller || token === null) return;
      const bounds = store.state.shown?.bounds ?? boundsOf(view.range, store.state.nowMs);
      const user = caller.isAdministrator ? view.user : null;
      try {
        const csv = await api.csv(caller.projectId, bounds, asking(token));
        if (session.token !== token) return; // who asked has signed out
        const seen = user === null ? csv : new Blob([rowsOf(await csv.text(), user)], { type: csv.type });
        save(seen, fileName(caller.projectId, bounds, user));
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        if (session.token === token) loader.failed(error);
      }
    },
  };
}

/**
 * Returns a view without what its reader may not ask for: the link of an administrator may name a user.
 *
 * @param {View} view
 * @param {Caller | null} caller
 * @returns {View}
 */
function permitted(view, caller) {
  return caller?.isAdministrator === false ? { ...view, user: null } : view;
}

/**
 * Shows a view, and asks for what it needs.
 *
 * @param {Store} store
 * @param {Loader} loader
 * @param {View} view
 */
export function show(store, loader, view) {
  const { caller, view: before, shown } = store.state;
  view = permitted(view, caller);
  store.change({ view });
  if (ASKED.some((name) => view[name] !== before[name])) void loader.load();
  else if (shown) store.change({ shown: { ...shown, view: { ...view, ...askedOf(shown.view) } } });
}

/**
 * Returns what the service was asked for. As long as another answer is awaited, what is shown is of the last question.
 *
 * @param {View} view
 */
function askedOf({ range, user, interval, timeZone }) {
  return { range, user, interval, timeZone };
}
