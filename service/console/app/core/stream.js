import { messagesOf } from "./connection.js";
import { delayMs, pause, untilSeen, whileSeen } from "./waiting.js";

/** @typedef {import("../types.d.ts").FailureKind} FailureKind */
/** @typedef {import("../types.d.ts").Statistics} Statistics */
/** @typedef {import("../types.d.ts").StreamState} StreamState */

const STEADY_MS = 10_000; // a connection that lasted as long was a good one

/**
 * @typedef {object} Heard Who is told what.
 * @property {(statistics: Statistics) => void} onStatistics The answer, at once and whenever it has changed.
 * @property {(asOfMs: number) => void} onAsOf Nothing has changed up to this instant.
 * @property {(state: StreamState) => void} onState The first state, and each change.
 * @property {(kind: FailureKind) => void} onEnd Once, when it is of no use to ask again.
 * @property {AbortSignal} signal Ends it, without a call of `onEnd`.
 * @property {Document} [documentRef] While it is hidden, nothing is asked.
 * @property {() => number} [random] In [0, 1).
 *
 * @typedef {import("./connection.js").Asked & Heard} Listening
 */

/**
 * Listens to a stream of statistics until `signal` is aborted or the stream is over for good. It connects again after
 * each break: later and later, not while the page is hidden, and at once when the page is seen again.
 *
 * @param {Listening} options
 * @returns {Promise<void>}
 */
export async function listen(options) {
  const { signal, documentRef = document } = options;
  const listener = new Listener(options);
  while (!signal.aborted && !listener.isOver) {
    if (documentRef.hidden) listener.say("off");
    await untilSeen(documentRef, signal);
    await listener.keepConnected(whileSeen(documentRef, signal));
  }
  listener.say("off");
}

/** Knows how far a stream was heard, and how long to wait. */
class Listener {
  isOver = false;
  /** @type {StreamState | null} */
  #state = null;
  #lastId = "";
  #notBeforeMs = 0; // by the clock of this machine: the service asked for it

  /** @param {Listening} options */
  constructor(options) {
    this.options = options;
  }

  /** @param {StreamState} state */
  say(state) {
    if (state !== this.#state) this.options.onState(state);
    this.#state = state;
  }

  /**
   * Connects again and again until `leave` is aborted, or the stream is over.
   *
   * @param {AbortSignal} leave
   */
  async keepConnected(leave) {
    const { random = Math.random } = this.options;
    for (let attempt = 0; ; attempt += 1) {
      await pause(this.#notBeforeMs - Date.now(), leave);
      if (leave.aborted) return;
      if (this.#state !== "broken") this.say("connecting");
      const sinceMs = performance.now();
      const closed = await this.#hear(leave);
      if (leave.aborted || this.isOver) return;
      if (performance.now() - sinceMs > STEADY_MS) attempt = 0;
      this.say(closed.isClean && attempt === 0 ? "connecting" : "broken");
      const delay = delayMs(attempt, random);
      this.#notBeforeMs = closed.askedMs > 0 ? Date.now() + closed.askedMs + delay : 0;
      await pause(delay, leave);
    }
  }

  /**
   * Passes on what one connection says. Returns how it ended.
   *
   * @param {AbortSignal} leave
   */
  async #hear(leave) {
    const messages = messagesOf(this.options, this.#lastId, leave);
    let step = await messages.next();
    for (; !step.done; step = await messages.next()) if (!leave.aborted) this.#passOn(step.value);
    const { failure } = step.value;
    if (failure && !leave.aborted) {
      this.isOver = true;
      this.say("off");
      this.options.onEnd(failure);
    }
    return step.value;
  }

  /** @param {import("./connection.js").Message} message */
  #passOn(message) {
    this.say("open");
    if (message.id !== "") this.#lastId = message.id;
    if (message.statistics) this.options.onStatistics(message.statistics);
    else this.options.onAsOf(message.asOfMs);
  }
}
