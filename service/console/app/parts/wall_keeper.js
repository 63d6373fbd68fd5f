const HINT_MS = 6000;

/** Keeps a wall a wall: the screen awake and filled. Escape, a click or a tap leaves it. */
class WallElement extends HTMLElement {
  /** What leaves the wall. */
  leave = () => {};
  /** @type {AbortController | null} */
  #there = null;
  /** @type {WakeLockSentinel | null} */
  #lock = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  connectedCallback() {
    this.#there = new AbortController();
    const { signal } = this.#there;
    const sinceMs = performance.now();
    const leave = () => this.leave();
    document.addEventListener("keydown", ({ key }) => key === "Escape" && leave(), { signal });
    // The click that led here is still on its way up.
    document.addEventListener("click", ({ timeStamp }) => timeStamp > sinceMs && leave(), { signal });
    document.addEventListener("pointermove", () => this.#hint(), { signal });
    document.addEventListener("visibilitychange", () => void this.#keepAwake(), { signal });
    // In full screen the browser takes Escape for itself.
    document.addEventListener("fullscreenchange", () => document.fullscreenElement ?? leave(), { signal });
    this.#hint();
    void this.#keepAwake();
    // Without a click just before, as when the page is loaded, a browser refuses it, and says so.
    if (navigator.userActivation?.isActive) document.documentElement.requestFullscreen?.().catch(() => undefined);
  }

  disconnectedCallback() {
    this.#there?.abort();
    clearTimeout(this.#timer);
    void this.#lock?.release();
    this.#lock = null;
    if (document.fullscreenElement) document.exitFullscreen().catch(() => undefined);
  }

  /** The lock is lost whenever the page is hidden. Not every browser has it, nor gives it. */
  async #keepAwake() {
    if (document.hidden) return;
    try {
      const lock = await navigator.wakeLock.request("screen");
      if (this.#there?.signal.aborted) await lock.release();
      else this.#lock = lock;
    } catch {
      this.#lock = null;
    }
  }

  /** Says for a while how one leaves. */
  #hint() {
    this.classList.add("is-told");
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.classList.remove("is-told"), HINT_MS);
  }
}

customElements.define("console-wall", WallElement);
