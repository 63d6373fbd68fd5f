import { render } from "../vendor/lit-html/lit-html.js";
import { createActions, show } from "./core/actions.js";
import { readView, writeView } from "./core/address.js";
import { Api } from "./core/api.js";
import { startClock } from "./core/clock.js";
import { Live } from "./core/live.js";
import { Loader } from "./core/loader.js";
import { ServiceClock } from "./core/service_clock.js";
import { Session } from "./core/session.js";
import { Store } from "./core/store.js";
import { ownZone } from "./core/zones.js";
import { page } from "./parts/layout.js";
import { LOCALES, words } from "./words/words.js";

/** @typedef {import("./types.d.ts").View} View */

const clock = new ServiceClock(() => Date.now());
const nowMs = () => clock.nowMs();
const session = new Session();
const darkness = matchMedia("(prefers-color-scheme: dark)");

/** What an address leaves open. @type {View} */
const usual = {
  range: { preset: "24h" },
  user: null,
  status: null,
  interval: null,
  timeZone: ownZone(),
  language: navigator.languages.find((tag) => /^(zh|en)\b/i.test(tag))?.slice(0, 2).toLowerCase() === "zh" ? "zh" : "en",
  isWall: false,
  hasPatterns: false,
};

const view = readView(location.search, usual);
const store = new Store({
  caller: null,
  view,
  theme: session.theme ?? (darkness.matches ? "dark" : "light"),
  isLive: view.isWall,
  nowMs: nowMs(),
  shown: null,
  isLoading: false,
  failure: null,
  endedAsOfMs: null,
  stream: "off",
});
const api = new Api(document.baseURI, clock);
const loader = new Loader(api, store, session, nowMs);
const actions = createActions(store, api, session, loader);
const root = /** @type {HTMLElement} */ (document.getElementById("console"));

let wasOut = true;

function draw() {
  const { state } = store;
  const { documentElement } = document;
  documentElement.lang = LOCALES[state.view.language];
  documentElement.dataset.theme = state.theme;
  documentElement.classList.toggle("is-wall", state.view.isWall && state.caller !== null);
  document.title = words(state.view.language)("page.title");
  const focused = document.activeElement;
  render(page(state, actions, session.token !== null), root);
  const isOut = state.caller === null;
  // What had the focus may be gone: a chip, the controls beside a wall. The keyboard is not to begin at the top again.
  const isLost = document.activeElement === document.body && (wasOut || focused !== document.body);
  if (isLost && !isOut) document.getElementById("main")?.focus({ preventScroll: !wasOut });
  wasOut = isOut;
}

history.replaceState(null, "", writeView(store.state.view));
addEventListener("popstate", () => show(store, loader, readView(location.search, usual)));
darkness.addEventListener("change", () => {
  if (session.theme === null) store.change({ theme: darkness.matches ? "dark" : "light" });
});
store.subscribe(draw);
draw();
new Live(store, api, session, loader).start();
startClock(store, loader, session, actions);
if (session.token !== null) void actions.signIn(session.token);
