import { Tip } from "./tooltip.js";

/** @typedef {import("../../vendor/echarts/echarts.js").Chart} Chart */
/** @typedef {import("./element.js").Drawing} Drawing */

const CLICK_PIXELS = 6; // a pointer that moves less was meant to click

/**
 * Shows the datum below the pointer, anywhere along an axis and however short its bar is. A click picks it, drawing over
 * several picks a span of them; Escape ends that. None of it draws the chart anew: with thousands of bars that takes long.
 *
 * @param {HTMLElement} ground What the chart is drawn on.
 * @param {Chart} chart
 * @param {() => Drawing | null} drawing
 */
export function watchPointer(ground, chart, drawing) {
  const band = document.createElement("div");
  band.className = "chart-span";
  band.hidden = true;
  const line = document.createElement("div");
  line.className = "chart-at";
  line.hidden = true; // a chart may come to be below a pointer that rests, and there is no place to show yet
  ground.append(band, line);
  const tip = new Tip(ground);
  /** @type {number | null} */
  let from = null;

  const place = (/** @type {PointerEvent} */ event) => {
    const { left, top } = ground.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  };
  const datum = (/** @type {{ x: number, y: number }} */ { x, y }) =>
    drawing()?.along === "y" ? chart.convertFromPixel({ yAxisIndex: 0 }, y) : chart.convertFromPixel({ xAxisIndex: 0 }, x);
  const point = (/** @type {number} */ x, /** @type {number} */ y) => {
    const content = chart.containPixel({ gridIndex: 0 }, [x, y]) ? drawing()?.content(datum({ x, y })) : null;
    if (content) tip.show(content, x, y);
    else tip.hide();
  };
  const end = () => {
    from = null;
    band.hidden = true;
    document.removeEventListener("keydown", escape);
  };
  const escape = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Escape") end();
  };

  ground.addEventListener("pointerdown", (event) => {
    const { x, y } = place(event);
    if (!drawing()?.along || event.button !== 0 || !chart.containPixel({ gridIndex: 0 }, [x, y])) return;
    from = x;
    ground.setPointerCapture(event.pointerId);
    document.addEventListener("keydown", escape);
  });
  ground.addEventListener("pointermove", (event) => {
    const { x, y } = place(event);
    line.hidden = drawing()?.along !== "x" || !chart.containPixel({ gridIndex: 0 }, [x, y]);
    line.style.left = `${x}px`;
    if (drawing()?.along) point(x, y);
    if (from === null || !drawing()?.onSpan) return;
    band.hidden = Math.abs(x - from) < CLICK_PIXELS;
    band.style.left = `${Math.min(x, from)}px`;
    band.style.width = `${Math.abs(x - from)}px`;
  });
  ground.addEventListener("pointerup", (event) => {
    if (from === null) return;
    const { x, y } = place(event);
    const [low, high] = [Math.min(from, x), Math.max(from, x)];
    end();
    if (high - low < CLICK_PIXELS) drawing()?.onPick?.(datum({ x, y }));
    else drawing()?.onSpan?.(datum({ x: low, y }), datum({ x: high, y }));
  });
  ground.addEventListener("pointercancel", end);
  ground.addEventListener("pointerleave", () => {
    tip.hide();
    line.hidden = true;
  });
  chart.on("mousemove", ({ dataIndex, event }) => {
    const content = drawing()?.along ? null : drawing()?.content(dataIndex);
    if (content) tip.show(content, event.offsetX, event.offsetY);
  });
  chart.on("mouseout", () => {
    if (!drawing()?.along) tip.hide();
  });
  chart.on("click", ({ dataIndex }) => {
    if (!drawing()?.along) drawing()?.onPick?.(dataIndex);
  });
}
