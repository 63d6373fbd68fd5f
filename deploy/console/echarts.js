// What the console uses of ECharts. Everything else of it stays out of the bundle.
import { BarChart, PieChart } from "echarts/charts";
import { GridComponent, TooltipComponent } from "echarts/components";
import { init, use } from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";

use([BarChart, CanvasRenderer, GridComponent, PieChart, TooltipComponent]);

export { init };
