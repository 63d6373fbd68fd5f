import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import "../charts/disclosure.js";
import "../charts/element.js";
import { csvText, saveCsv } from "../charts/csv.js";
import { savePng } from "../charts/png.js";
import { formatOf } from "../words/format.js";

/** @typedef {import("../../vendor/lit-html/lit-html.js").TemplateResult} TemplateResult */
/** @typedef {import("../charts/element.js").ChartElement} ChartElement */
/** @typedef {import("../charts/element.js").Drawing} Drawing */
/** @typedef {import("../charts/png.js").Labels} Labels */
/** @typedef {import("../types.d.ts").Shown} Shown */
/** @typedef {string | number | bigint | boolean} Cell */

/**
 * A chart, and everything that all charts have.
 *
 * @typedef {object} Framed
 * @property {"donut" | "trend" | "by_user"} name
 * @property {number} asOfMs Of its figures.
 * @property {string} caption
 * @property {Drawing} drawing
 * @property {Labels["legend"]} legend Of the picture.
 * @property {Labels["middle"]} [middle] In the middle of a ring.
 * @property {TemplateResult} [tools] Beside the title.
 * @property {TemplateResult} [beside] Of the page's legend.
 * @property {() => TemplateResult} table With the same figures.
 * @property {() => { header: string[], rows: Cell[][] }} data What is saved as CSV.
 */

/** What files are called: as the buttons that save them, in any language. */
const FILES = { donut: "states", trend: "trend", by_user: "input-by-user" };

/**
 * Returns a chart with its title, its caption, a table of the same figures, and what saves it.
 *
 * @param {Shown} shown
 * @param {Framed} framed
 */
export function chartFrame(shown, framed) {
  const { name, caption, drawing, tools, beside, middle, table } = framed;
  const { t } = formatOf(shown.view);
  return html`
    <figure class="chart-frame">
      <div class="chart-head">
        <h2>${t(`${name}.title`)}</h2>
        ${tools}
      </div>
      <div class="chart-body">
        <div class="chart-ground">
          <console-chart
            class=${name}
            role="img"
            aria-label=${t(`${name}.label`)}
            aria-describedby="${name}-caption"
            .drawing=${drawing}
          ></console-chart>
          <p class="chart-missing">${t("chart.missing")}</p>
          ${middle ? html`<p class="chart-middle" aria-hidden="true"><b>${middle.figure}</b>${middle.unit}</p>` : nothing}
        </div>
        ${beside}
      </div>
      <figcaption class="caption" id="${name}-caption">${caption}</figcaption>
      <div class="chart-foot">
        <console-disclosure .shown=${{ name: t("chart.table", { title: t(`${name}.short`) }), content: table }}></console-disclosure>
        <button @click=${(/** @type {Event} */ event) => savePicture(event, shown, framed)}>
          ${t("chart.picture", { title: t(`${name}.short`) })}
        </button>
        <button @click=${() => saveData(framed)}>${t("chart.data", { title: t(`${name}.short`) })}</button>
      </div>
    </figure>
  `;
}

/**
 * @param {Event} event
 * @param {Shown} shown
 * @param {Framed} framed
 */
function savePicture({ currentTarget }, shown, { name, asOfMs, caption, legend, middle }) {
  const chart = /** @type {HTMLElement} */ (currentTarget).closest("figure")?.querySelector("console-chart");
  const format = formatOf(shown.view);
  const { user } = shown.view;
  const labels = {
    title: user === null ? format.t(`${name}.title`) : `${format.t(`${name}.title`)} · ${user}`,
    caption,
    legend,
    footer: [format.bounds(shown.bounds), `${format.t("as_of.title")} ${format.second(asOfMs)}`, format.zone(asOfMs)].join(" · "),
    hasPatterns: shown.view.hasPatterns,
    ...(middle && { middle }),
  };
  void savePng(/** @type {ChartElement} */ (chart), labels, fileName(name, asOfMs, "png"));
}

/** @param {Framed} framed */
function saveData({ name, asOfMs, data }) {
  const { header, rows } = data();
  saveCsv(csvText(header, rows), fileName(name, asOfMs, "csv"));
}

/**
 * @param {Framed["name"]} name
 * @param {number} asOfMs
 * @param {string} kind
 */
function fileName(name, asOfMs, kind) {
  return `${FILES[name]}-${new Date(asOfMs).toISOString().slice(0, 19).replaceAll(":", "")}Z.${kind}`;
}
