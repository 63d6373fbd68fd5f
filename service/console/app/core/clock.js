/** @typedef {import("./loader.js").Loader} Loader */
/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("./store.js").Store} Store */
/** @typedef {import("../types.d.ts").Actions} Actions */
/** @typedef {import("../types.d.ts").State} State */

const TICK_MS = 1000;
const RENEW_MS = 50_000 + Math.random() * 10_000; // many pages that saw one change do not ask in one second for ever
const LONGEST_WAIT_MS = 15 * 60_000; // longer than any failure is waited for: the clock was put back

/**
 * Moves the page's present on, and asks again when it is time: for a range that goes along with the present after a
 * minute, after a failure when it is worth it, and when the token should have ended. While the tab is hidden nothing is
 * asked; on return all of it at once.
 *
 * @param {Store} store
 * @param {Loader} loader
 * @param {Session} session
 * @param {Actions} actions
 */
export function startClock(store, loader, session, actions) {
  const tick = (isBack = false) => {
    if (document.hidden) return;
    store.change({ nowMs: loader.nowMs() });
    const { state } = store;
    if (state.isLoading) return;
    if (state.caller && (isBack || isDue(state, loader.askedAtMs))) void loader.load({ isQuiet: true });
    if (!state.caller && session.token !== null && isWorthIt(state)) void actions.signIn(session.token);
  };
  setInterval(() => tick(), TICK_MS);
  document.addEventListener("visibilitychange", () => tick(true));
}

/**
 * @param {State} state
 * @param {number} askedAtMs When was asked last.
 */
function isDue(state, askedAtMs) {
  const { caller, failure, nowMs, view } = state;
  if (failure) return isWorthIt(state);
  const endsMs = caller?.expiresAtMs ?? Infinity; // by this machine's clock: the service is to say whether it has
  if (askedAtMs < endsMs && endsMs <= nowMs) return true;
  return "preset" in view.range && Math.abs(nowMs - askedAtMs) >= RENEW_MS;
}

/** @param {State} state */
function isWorthIt({ failure, nowMs }) {
  if (failure === null || failure.retryAtMs === null) return false;
  return nowMs >= failure.retryAtMs || failure.retryAtMs - nowMs > LONGEST_WAIT_MS;
}
