/**
 * Runs before anything else of the page: takes a token out of the address, sets the theme, and starts the program.
 *
 * While a release is rolled out, the page and its modules may be asked of processes of two versions, of which each has
 * its own files alone. Then a file is missing, and the page is loaded anew until all of it comes from one version.
 */
{
  const TOKEN = "console.token";
  const TRIES = "console.tries";
  const THEME = "console.theme";
  const LONGEST_WAIT_MS = 15_000;

  /** What the browser keeps; nothing where it is told to keep nothing. @param {() => string | null | void} use */
  const kept = (use) => {
    try {
      return use() ?? null;
    } catch {
      return null;
    }
  };

  /** Tells whether the address had a token; it has none any more, nor has the history. */
  const takeToken = () => {
    const found = /^#token=(.+)$/.exec(location.hash);
    if (!found) return false;
    history.replaceState(history.state, "", location.pathname + location.search);
    kept(() => sessionStorage.removeItem(TOKEN)); // also where the new one cannot be read
    kept(() => sessionStorage.setItem(TOKEN, decodeURIComponent(found[1] ?? "")));
    return true;
  };

  takeToken();
  addEventListener("hashchange", () => {
    if (takeToken()) location.reload();
  });

  const theme = kept(() => localStorage.getItem(THEME));
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;

  const program = document.currentScript?.dataset.program ?? "";
  const tries = Number(kept(() => sessionStorage.getItem(TRIES)));

  let isMissing = false;
  const loadAnew = () => {
    if (isMissing) return;
    isMissing = true;
    const say = () => document.getElementById("trouble")?.removeAttribute("hidden");
    say();
    document.addEventListener("DOMContentLoaded", say);
    kept(() => sessionStorage.setItem(TRIES, String(tries + 1)));
    setTimeout(() => location.reload(), Math.min(1000 * 2 ** tries, LONGEST_WAIT_MS));
  };

  // This script runs before the page has links. A style sheet that does not come tells nobody but its link.
  const look = (/** @type {Event} */ { target }) => {
    if (target instanceof HTMLLinkElement && target.rel === "stylesheet") loadAnew();
  };
  document.addEventListener("error", look, true);
  const loaded = new Promise((done) => addEventListener("load", done, { once: true }));
  const started = import(new URL(program, document.baseURI).href);
  started.catch(loadAnew);
  void Promise.all([started, loaded]).then(
    () => isMissing || kept(() => sessionStorage.removeItem(TRIES)),
    () => undefined,
  );
}
