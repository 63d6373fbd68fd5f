/** The types of what `echarts.js` exports, as far as the console uses them. */

export interface Chart {
  setOption(option: object, how: { replaceMerge: string[] }): void;
  on(
    event: "click" | "mousemove" | "mouseout",
    call: (event: { dataIndex: number; event: { offsetX: number; offsetY: number } }) => void,
  ): void;
  resize(): void;
  dispose(): void;
  containPixel(where: { gridIndex: number }, pixel: [number, number]): boolean;
  convertFromPixel(where: { xAxisIndex: number } | { yAxisIndex: number }, pixel: number): number;
  renderToCanvas(how: { pixelRatio: number; backgroundColor: string }): HTMLCanvasElement;
}

export function init(element: HTMLElement, theme: null, how: { renderer: "canvas" }): Chart;
