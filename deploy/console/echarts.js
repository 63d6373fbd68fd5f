// What the console uses of ECharts. Everything else of it stays out of the bundle.
import { BarChart, PieChart } from "echarts/charts";
import { GridSimpleComponent } from "echarts/components";
import { init, use } from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";

use([BarChart, CanvasRenderer, GridSimpleComponent, PieChart]);

export { init };
