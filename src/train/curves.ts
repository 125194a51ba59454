/** A picture of how a run went, from its log. */
import { join } from "node:path";
import { readLog, writeAtomic } from "../files/index.ts";
import { encodePicture, plotCurves, type Series } from "../image/index.ts";

/** Names in the log that are not curves of the model. */
const ASIDE = new Set(["step", "lr", "gradNorm", "samplesPerSecond"]);
const POINTS = 300;

/** Draws loss and metrics of `log` into curves.png in the folder `out`; long runs are averaged to 300 points. */
export async function drawCurves(log: string, out: string, title: string): Promise<void> {
  const records = readLog(log) as { [name: string]: number; step: number }[];
  if (!records.length) return;
  const names = Object.keys(records.at(-1)!).filter((name) => !ASIDE.has(name));
  const window = Math.ceil(records.length / POINTS);
  const series = names.map((name): Series => {
    const curve = { name, x: [] as number[], y: [] as number[] };
    for (let at = 0; at < records.length; at += window) {
      const part = records.slice(at, at + window);
      curve.x.push(part.at(-1)!.step);
      curve.y.push(part.reduce((sum, record) => sum + record[name], 0) / part.length);
    }
    return curve;
  });
  const picture = plotCurves({ title, series, xLabel: "step", logY: records.every(({ loss }) => loss > 0) });
  await writeAtomic(join(out, "curves.png"), await encodePicture(picture, "png"));
}
