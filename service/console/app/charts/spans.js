/** @typedef {import("../../vendor/echarts/echarts.js").Chart} Chart */
/** @typedef {import("./element.js").Drawing} Drawing */

const CLICK_PIXELS = 6; // a pointer that moves less was meant to click

/**
 * Lets a person pick a datum of a chart with a click anywhere along an axis, however short its bar is, and a span of
 * them by drawing over it. Escape ends it.
 *
 * @param {HTMLElement} ground What the chart is drawn on.
 * @param {Chart} chart
 * @param {() => Drawing | null} drawing
 */
export function watchSpans(ground, chart, drawing) {
  const band = document.createElement("div");
  band.className = "chart-span";
  band.hidden = true;
  ground.append(band);
  /** @type {number | null} */
  let from = null;

  const place = (/** @type {PointerEvent} */ event) => {
    const { left, top } = ground.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  };
  const datum = (/** @type {{ x: number, y: number }} */ { x, y }) =>
    drawing()?.along === "y" ? chart.convertFromPixel({ yAxisIndex: 0 }, y) : chart.convertFromPixel({ xAxisIndex: 0 }, x);
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
    if (from === null || !drawing()?.onSpan) return;
    const { x } = place(event);
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
}
