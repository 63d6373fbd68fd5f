import { render } from "../../../vendor/lit-html/lit-html.js";
import { sum } from "../../core/figures.js";
import { formatOf } from "../../words/format.js";
import { Changes } from "./changes.js";
import { frame } from "./frame.js";
import { rowAfter } from "./keys.js";
import { Rows } from "./rows.js";
import { piecesOf } from "./window.js";

/** @typedef {import("../../types.d.ts").Actions} Actions */
/** @typedef {import("../../types.d.ts").Shown} Shown */
/** @typedef {import("../../types.d.ts").UserRow} UserRow */
/** @typedef {import("./rows.js").Column} Column */
/** @typedef {import("./rows.js").Entry} Entry */
/** @typedef {import("./rows.js").Order} Order */
/** @typedef {{ shown: Shown, users: readonly UserRow[], actions: Actions }} Model */

const STEP_ROWS = 6; // a shorter way of scrolling finds rows that are there already

/** The users, with what a person does to their table alone: search, sort, scroll, walk through its rows. */
export class UsersElement extends HTMLElement {
  /** @type {Model | null} */
  #model = null;
  #rows = new Rows();
  #changes = new Changes();
  #search = "";
  /** What a person has chosen; null until then. @type {Order | null} */
  #order = null;
  /** @type {Entry[]} */
  #entries = [];
  /** The key of the user at whom Tab stops. @type {string | undefined} */
  #active;
  // Both are read after the page was laid out anyway: while it is drawn, that would make it lay itself out once more.
  #rowPx = 34;
  #topPx = 0;
  #first = 0;
  #frame = 0;

  /** @param {Model} model */
  set model(model) {
    const before = this.#model;
    this.#model = model;
    if (before?.users === model.users && before.shown.view === model.shown.view) return;
    if (before?.shown.view.status !== model.shown.view.status) this.#order = null;
    if (before && before.users !== model.users) this.#changes.take(before.shown, model.shown, performance.now());
    this.#draw();
    if (before && before.shown.view.user !== null && model.shown.view.user === null) this.#scrollToActive();
  }

  disconnectedCallback() {
    cancelAnimationFrame(this.#frame);
  }

  /** A state that is chosen asks who has such jobs: its column sorts, until a person sorts otherwise. @returns {Order} */
  get #sorting() {
    const status = this.#model?.shown.view.status;
    return this.#order ?? (status ? { column: status, isDescending: true } : { column: "name", isDescending: false });
  }

  #draw() {
    if (!this.#model) return;
    const { shown, users, actions } = this.#model;
    const nowMs = performance.now();
    const order = this.#sorting;
    const entries = this.#rows.of(users, shown.view.language, this.#search, shown.view.user, order);
    this.#entries = entries;
    this.#first = this.#scrolledTo;
    let kept = entries.findIndex(({ key }) => key === this.#active);
    if (kept < 0) kept = this.#first;
    this.#active = entries[kept]?.key;
    const focus = this.#focus();
    const shape = {
      view: shown.view,
      format: formatOf(shown.view),
      order,
      entries,
      isSearched: this.#search.trim() !== "",
      pieces: piecesOf(entries.length, this.#first, kept),
      totals: entries.length === users.length ? shown.statistics.totals : sum(entries.map(({ row }) => row)),
      users: users.length,
      active: this.#active,
      rowPx: this.#rowPx,
      changed: (/** @type {Entry} */ entry, /** @type {Column} */ column) => this.#changes.classOf(entry, column, nowMs),
    };
    render(frame(shape, this, actions), this);
    if (focus) this.#rowOf(kept)?.querySelector(focus)?.focus({ preventScroll: true });
  }

  /** Returns what has the focus in a row: it goes along with the user when the row takes another place. */
  #focus() {
    const focused = document.activeElement;
    if (!focused || !this.contains(focused) || !focused.closest("tr[data-index]")) return null;
    return /** @type {"a"} */ (focused.matches("a") ? "a" : ".exact");
  }

  /** @param {number} index */
  #rowOf(index) {
    return this.querySelector(`tr[data-index="${index}"]`);
  }

  get #region() {
    return this.querySelector(".users-region");
  }

  /** The first row that is seen. */
  get #scrolledTo() {
    return Math.floor(this.#topPx / this.#rowPx);
  }

  /** Draws with the next picture of the screen, however often it is asked for until then. */
  #drawSoon() {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => this.#draw());
  }

  /** @param {string} text */
  search(text) {
    this.#search = text;
    this.#topPx = 0;
    this.#region?.scrollTo(0, 0);
    this.#drawSoon();
  }

  /** Sorts by a column; once more, the other way round. Numbers begin with the greatest. @param {Column} column */
  sort(column) {
    const { column: before, isDescending } = this.#sorting;
    this.#order = { column, isDescending: column === before ? !isDescending : column !== "name" };
    this.#draw();
  }

  scrolled() {
    this.#topPx = this.#region?.scrollTop ?? 0;
    this.#rowPx = this.querySelector("tr[data-index]")?.getBoundingClientRect().height || this.#rowPx;
    if (Math.abs(this.#scrolledTo - this.#first) >= STEP_ROWS) this.#drawSoon();
  }

  /** A click anywhere on a user shows that user alone, or everybody again. @param {MouseEvent} event */
  clicked(event) {
    const target = /** @type {Element} */ (event.target);
    const entry = this.#entryOf(target);
    const isOther = event.ctrlKey || event.metaKey || event.shiftKey; // the link opens elsewhere
    const isSelecting = !target.closest("a") && !getSelection()?.isCollapsed;
    if (!entry || !this.#model || isOther || isSelecting) return;
    event.preventDefault();
    const { name } = entry.row;
    this.#model.actions.see({ user: name === this.#model.shown.view.user ? null : name });
  }

  /** @param {FocusEvent} event */
  focused(event) {
    this.#active = this.#entryOf(/** @type {Element} */ (event.target))?.key ?? this.#active;
  }

  /** @param {KeyboardEvent} event */
  pressed(event) {
    const row = /** @type {Element} */ (event.target).closest("tr[data-index]");
    if (!(row instanceof HTMLElement) || event.ctrlKey || event.altKey || event.metaKey) return;
    const next = rowAfter(event.key, Number(row.dataset.index), this.#entries.length);
    const side = event.key === "ArrowRight" ? ".exact" : event.key === "ArrowLeft" ? "a" : null;
    if (next === null && side === null) return;
    event.preventDefault();
    if (next !== null) this.#goTo(next);
    else if (side !== null) row.querySelector(/** @type {"a"} */ (side))?.focus();
  }

  /** @param {number} index */
  #goTo(index) {
    this.#active = this.#entries[index]?.key;
    this.#draw();
    const row = this.#rowOf(index);
    row?.querySelector("a")?.focus({ preventScroll: true });
    row?.scrollIntoView({ block: "nearest" });
  }

  /** Brings the user who was alone back into what is seen. The page itself stays where it is. */
  #scrollToActive() {
    const index = this.#entries.findIndex(({ key }) => key === this.#active);
    this.#region?.scrollTo(0, index * this.#rowPx);
  }

  /** @param {Element} target */
  #entryOf(target) {
    const row = target.closest("tr[data-index]");
    return row instanceof HTMLElement ? this.#entries[Number(row.dataset.index)] : undefined;
  }
}

customElements.define("console-users", UsersElement);
