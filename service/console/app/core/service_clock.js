const MOST_OFF_MS = 60_000; // an answer is under way for a while, and its header has whole seconds

/**
 * Tells the present as the service does. Whoever looks may have a clock that is hours off: "24 hours" are to be those of
 * the service, by whose clock jobs start.
 */
export class ServiceClock {
  #aheadMs = 0;

  /** @param {() => number} ownMs The clock of this machine, Unix ms. */
  constructor(ownMs) {
    this.ownMs = ownMs;
  }

  /** Returns the present, Unix ms: by the clock of this machine, unless an answer has shown that to be wrong. */
  nowMs() {
    return this.ownMs() + this.#aheadMs;
  }

  /**
   * Compares the clocks.
   *
   * @param {string | null} date The header `Date` of an answer that has just come.
   */
  hear(date) {
    const aheadMs = Date.parse(date ?? "") - this.ownMs();
    // Small differences are none, so that the present does not go to and fro with each answer.
    if (Math.abs(aheadMs - this.#aheadMs) >= MOST_OFF_MS) this.#aheadMs = Math.abs(aheadMs) >= MOST_OFF_MS ? aheadMs : 0;
  }
}
