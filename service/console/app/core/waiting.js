const SHORTEST_MS = 1_000;
const LONGEST_MS = 30_000;
const LONGEST_ASKED_MS = 600_000; // a page that is told to wait longer asks once in ten minutes

/**
 * Returns how long to wait before attempt `attempt` (0 is the first repetition), ms. It doubles, and half of it is
 * chance, so that pages which lost the same process do not come back together.
 *
 * @param {number} attempt
 * @param {() => number} random In [0, 1).
 */
export function delayMs(attempt, random) {
  return Math.min(SHORTEST_MS * 2 ** attempt, LONGEST_MS) * (0.5 + random() / 2);
}

/**
 * Returns what a header `Retry-After` asks for, ms: seconds or a date; 0 for none and for what is neither.
 *
 * @param {string | null} value
 * @param {number} nowMs
 */
export function retryAfterMs(value, nowMs) {
  if (value === null) return 0;
  const ms = /^\d+$/.test(value.trim()) ? Number(value) * 1_000 : Date.parse(value) - nowMs;
  return ms > 0 ? Math.min(ms, LONGEST_ASKED_MS) : 0; // a text that is no date gives NaN
}

/**
 * Resolves after `ms` (at once for 0 and less), or as soon as `signal` is aborted.
 *
 * @param {number} ms
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
export function pause(ms, signal) {
  return new Promise((resolve) => {
    if (signal.aborted || ms <= 0) return resolve();
    const timer = setTimeout(done, ms);
    function done() {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
    signal.addEventListener("abort", done);
  });
}

/**
 * Resolves when the page is seen, or `signal` is aborted.
 *
 * @param {Document} documentRef
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
export function untilSeen(documentRef, signal) {
  return new Promise((resolve) => {
    const done = new AbortController();
    const look = () => {
      if (documentRef.hidden && !signal.aborted) return;
      done.abort();
      resolve();
    };
    documentRef.addEventListener("visibilitychange", look, { signal: done.signal });
    signal.addEventListener("abort", look, { signal: done.signal });
    look();
  });
}

/**
 * Returns a signal that is aborted when the page is hidden, or `signal` is aborted.
 *
 * @param {Document} documentRef
 * @param {AbortSignal} signal
 */
export function whileSeen(documentRef, signal) {
  const left = new AbortController();
  const look = () => {
    if (documentRef.hidden || signal.aborted) left.abort();
  };
  documentRef.addEventListener("visibilitychange", look, { signal: left.signal });
  signal.addEventListener("abort", look, { signal: left.signal });
  look();
  return left.signal;
}
