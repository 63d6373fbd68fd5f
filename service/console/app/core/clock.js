/** @typedef {import("./loader.js").Loader} Loader */
/** @typedef {import("./store.js").Store} Store */

const TICK_MS = 1000;
const RENEW_MS = 60_000;

/**
 * Moves the page's present on, and asks again when it is time: for a range that goes along with the present after a
 * minute, and after a failure when it is worth it. While the tab is hidden nothing is asked; on return at once.
 *
 * @param {Store} store
 * @param {Loader} loader
 * @param {() => number} nowMs
 */
export function startClock(store, loader, nowMs) {
  const tick = () => {
    if (document.hidden) return;
    store.change({ nowMs: nowMs() });
    if (store.state.caller && !store.state.isLoading && isDue(store, loader)) void loader.load({ isQuiet: true });
  };
  setInterval(tick, TICK_MS);
  document.addEventListener("visibilitychange", tick);
}

/**
 * @param {Store} store
 * @param {Loader} loader
 */
function isDue({ state: { caller, failure, nowMs, view } }, { askedAtMs }) {
  if (failure) return failure.retryAtMs !== null && nowMs >= failure.retryAtMs;
  const endsMs = caller?.expiresAtMs ?? Infinity;
  if (askedAtMs < endsMs && nowMs >= endsMs) return true; // once: the service says whether it has ended
  return "preset" in view.range && Math.abs(nowMs - askedAtMs) >= RENEW_MS;
}
