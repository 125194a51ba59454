/** Curves over steps, drawn by uPlot in the colours of the page. */
import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { theme } from "../state/app.ts";

const COLOURS = ["#0d9488", "#d97706", "#7c3aed", "#dc2626", "#2563eb", "#65a30d", "#db2777", "#64748b"];

export interface Curves {
  readonly title: string;
  readonly steps: readonly number[];
  /** A name and a value for each step, null where there is none. */
  readonly lines: readonly { readonly name: string; readonly values: readonly (number | null)[] }[];
}

export function Chart({ title, steps, lines }: Curves) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const data = [steps, ...lines.map(({ values }) => values)] as uPlot.AlignedData;
  const latest = useRef(data);
  latest.current = data;
  const { name } = theme.use();
  const names = lines.map((line) => line.name).join();

  // biome-ignore lint/correctness/useExhaustiveDependencies: the theme and the names of lines make another plot.
  useEffect(() => {
    const style = getComputedStyle(document.documentElement);
    const ink = style.getPropertyValue("--soft");
    const axis = { stroke: ink, grid: { stroke: style.getPropertyValue("--line"), width: 1 }, ticks: { show: false } };
    const width = () => box.current!.clientWidth;
    const series = lines.map(({ name }, i) => ({
      label: name,
      stroke: COLOURS[i % COLOURS.length],
      width: 1.5,
      spanGaps: true,
    }));
    const options: uPlot.Options = {
      width: width(),
      height: 220,
      scales: { x: { time: false } },
      axes: [axis, { ...axis, size: 56, values: (_, ticks) => ticks.map((tick) => `${Number(tick.toPrecision(3))}`) }],
      series: [{ label: "step" }, ...series],
    };
    plot.current = new uPlot(options, latest.current, box.current!);
    const resize = new ResizeObserver(() => plot.current?.setSize({ width: width(), height: 220 }));
    resize.observe(box.current!);
    return () => {
      resize.disconnect();
      plot.current?.destroy();
    };
  }, [names, name]);
  useEffect(() => plot.current?.setData(data), [data]);

  const ends = lines.map(({ name, values }) => `${name} ${format(values.findLast((value) => value !== null))}`);
  return (
    <figure className="panel">
      <figcaption className="label mb-2">{title}</figcaption>
      <div
        ref={box}
        role="img"
        aria-label={`${title} up to step ${steps.at(-1) ?? 0}: ${ends.join(", ")}`}
        className="overflow-hidden"
      />
    </figure>
  );
}

const format = (value: number | null | undefined): string => (value == null ? "unknown" : value.toPrecision(4));
