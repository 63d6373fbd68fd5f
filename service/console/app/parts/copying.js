/** @typedef {import("../words/words.js").Translate} Translate */

const SAID_MS = 1500;

/**
 * Copies a text, and says so beside the control and to a screen reader. Where the browser does not let it copy, the text
 * is there, selected, for a person to copy it.
 *
 * @param {string} text
 * @param {Translate} t
 * @param {HTMLElement} control
 */
export async function copy(text, t, control) {
  const isCopied = (await isWritten(text)) || isCopiedFromField(text, t, control);
  if (!isCopied) return;
  control.dataset.said = t("exact.copied");
  announce(t("exact.copied_text", { text }));
  setTimeout(() => delete control.dataset.said, SAID_MS);
}

/** @param {string} text */
async function isWritten(text) {
  try {
    await navigator.clipboard.writeText(text); // it is missing where the page does not come by https
    return true;
  } catch {
    return false;
  }
}

/**
 * Copies from a field, the old way. The field stays until the focus leaves it, if that is refused as well.
 *
 * @param {string} text
 * @param {Translate} t
 * @param {HTMLElement} control
 */
function isCopiedFromField(text, t, control) {
  const field = document.createElement("input");
  field.readOnly = true;
  field.value = text;
  field.className = "exact-field";
  field.setAttribute("aria-label", t("exact.field"));
  control.after(field);
  field.select();
  const isCopied = document.execCommand("copy");
  const remove = () => field.remove();
  if (isCopied) {
    remove();
    control.focus();
  } else {
    announce(t("exact.select"));
    field.addEventListener("blur", remove, { once: true });
    field.addEventListener("keydown", ({ key }) => key === "Escape" && control.focus());
  }
  return isCopied;
}

/**
 * Lets a screen reader say a text when it has nothing else to say.
 *
 * @param {string} text
 */
export function announce(text) {
  let region = document.getElementById("announcements");
  if (!region) {
    region = document.createElement("div");
    region.id = "announcements";
    region.className = "unseen";
    region.setAttribute("aria-live", "polite");
    document.body.append(region);
  }
  region.textContent = text;
}
