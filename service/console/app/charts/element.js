import { SMALLEST_PX, readLook } from "./look.js";
import { watchPointer } from "./pointer.js";

/** @typedef {import("../../vendor/echarts/echarts.js").Chart} Chart */
/** @typedef {import("./look.js").Look} Look */

/**
 * What a chart shows, and what a person can do on it: click one of its data, or a span of them.
 *
 * @typedef {object} Drawing
 * @property {(look: Look, isStill: boolean, width: number) => object} option Makes the option of ECharts; `width` is
 *     how many pixels there would be for texts of the usual size.
 * @property {(index: number) => HTMLElement} content Of the tooltip of a datum.
 * @property {"x" | "y"} [along] The axis of the data; without it a click must hit what is drawn.
 * @property {((index: number) => void)} [onPick]
 * @property {((first: number, last: number) => void)} [onSpan]
 */

const STILL = matchMedia("(prefers-reduced-motion: reduce)");

/** @type {Promise<typeof import("../../vendor/echarts/echarts.js")> | null} */
let library = null;

/** Gets ECharts when a chart first wants it: the figures do not wait for it. */
function getLibrary() {
  library ??= import("../../vendor/echarts/echarts.js").catch((error) => {
    library = null; // the next chart tries again
    throw error;
  });
  return library;
}

/** A chart on a canvas, as large as the element is. */
export class ChartElement extends HTMLElement {
  /** @type {Chart | null} */
  #chart = null;
  /** @type {Drawing | null} */
  #drawing = null;
  #width = 0;
  #observer = new ResizeObserver(() => this.#resize());

  connectedCallback() {
    void this.#start();
  }

  disconnectedCallback() {
    this.#observer.disconnect();
    this.#chart?.dispose();
    this.#chart = null;
  }

  /** @param {Drawing} drawing */
  set drawing(drawing) {
    this.#drawing = drawing;
    this.#draw();
  }

  /** The chart as it is seen, on a canvas of its own; null before it is there. @param {number} pixelRatio */
  picture(pixelRatio) {
    const backgroundColor = readLook(this).surface;
    return this.#chart?.renderToCanvas({ pixelRatio, backgroundColor }) ?? null;
  }

  async #start() {
    const library = await getLibrary().catch(() => null);
    this.classList.toggle("is-missing", library === null); // the table beside it has all that it would show
    if (!library || !this.isConnected || this.#chart) return;
    const ground = document.createElement("div");
    this.replaceChildren(ground);
    const chart = library.init(ground, null, { renderer: "canvas" });
    this.#chart = chart;
    watchPointer(ground, chart, () => this.#drawing);
    this.#observer.observe(this);
    this.#draw();
  }

  #resize() {
    this.#chart?.resize();
    if (this.clientWidth !== this.#width) this.#draw(); // there is place for other texts
  }

  #draw() {
    if (!this.#chart || !this.#drawing) return;
    this.#width = this.clientWidth;
    const look = readLook(this);
    const option = this.#drawing.option(look, STILL.matches, (this.#width * SMALLEST_PX) / look.fontPx);
    this.#chart.setOption(option, { replaceMerge: ["grid", "series", "xAxis", "yAxis"] });
  }
}

customElements.define("console-chart", ChartElement);
