/** The types of what `echarts.js` exports, as far as the console uses them. */

export interface PointerEvent {
  dataIndex: number;
  seriesIndex: number;
  name: string;
}

export interface Chart {
  setOption(option: object, how?: { notMerge?: boolean; lazyUpdate?: boolean }): void;
  on(event: "click", call: (event: PointerEvent) => void): void;
  resize(): void;
  dispose(): void;
  isDisposed(): boolean;
  getWidth(): number;
  getHeight(): number;
  containPixel(where: { gridIndex: number }, pixel: [number, number]): boolean;
  convertFromPixel(where: { xAxisIndex: number }, pixel: number): number;
  convertToPixel(where: { xAxisIndex: number }, value: number): number;
  dispatchAction(action: { type: string; [key: string]: unknown }): void;
  getDataURL(how: { type: "png"; pixelRatio: number; backgroundColor: string }): string;
  renderToCanvas(how: { pixelRatio: number; backgroundColor: string }): HTMLCanvasElement;
}

export function init(element: HTMLElement, theme: null, how: { renderer: "canvas"; locale?: string }): Chart;
