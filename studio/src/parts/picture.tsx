/** One picture of a drawing at one step: its pixels, how sure the model is of each cell, or both. */
import { useEffect, useRef } from "react";
import type { Cells, Step } from "../engine/types.ts";

export type Look = "Picture" | "Confidence" | "Both";
export const LOOKS: readonly Look[] = ["Picture", "Both", "Confidence"];

/** From unsure to sure: ends and middles of a ramp that grows lighter, so that it reads without colours too. */
const RAMP = [
  [49, 18, 89],
  [124, 40, 109],
  [204, 71, 80],
  [243, 140, 48],
  [250, 226, 120],
];

export function colourOf(share: number): readonly number[] {
  const at = Math.min(Math.max(share, 0), 1) * (RAMP.length - 1);
  const low = Math.min(Math.floor(at), RAMP.length - 2);
  return RAMP[low].map((value, c) => Math.round(value + (RAMP[low + 1][c] - value) * (at - low)));
}

export function StepPicture({ step, row, look, label }: { step: Step; row: number; look: Look; label: string }) {
  const { grid, cells, pictures } = step;
  const picture = pictures[row];
  return (
    <div
      role="img"
      aria-label={label}
      className="relative w-full bg-well"
      style={{ aspectRatio: `${grid.width}/${grid.height}` }}
    >
      {(look !== "Confidence" || !cells[row]) && picture && <Bitmap bitmap={picture} />}
      {(look !== "Picture" || !picture) && cells[row] && (
        <Confidence cells={cells[row]} grid={grid} veil={look === "Both" && picture !== undefined} />
      )}
    </div>
  );
}

function Bitmap({ bitmap }: { bitmap: ImageBitmap }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => canvas.current!.getContext("2d")!.drawImage(bitmap, 0, 0), [bitmap]);
  return (
    <canvas ref={canvas} width={bitmap.width} height={bitmap.height} className="pixels absolute inset-0 size-full" />
  );
}

/** A coloured square for each cell; open cells are small. As a veil, decided cells let the picture through. */
function Confidence({ cells, grid, veil }: { cells: Cells; grid: Step["grid"]; veil: boolean }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const size = 16;
  useEffect(() => {
    const draw = canvas.current!.getContext("2d")!;
    draw.clearRect(0, 0, grid.width * size, grid.height * size);
    for (let i = 0; i < grid.width * grid.height; i++) {
      const open = cells.mask[i] === 1;
      const [x, y] = [(i % grid.width) * size, Math.floor(i / grid.width) * size];
      draw.fillStyle = `rgb(${colourOf(cells.confidence[i]).join(" ")} / ${veil && !open ? 0.12 : veil ? 0.72 : 1})`;
      const inset = open && !veil ? 5 : 0.5;
      draw.fillRect(x + inset, y + inset, size - 2 * inset, size - 2 * inset);
    }
  }, [cells, grid, veil]);
  return (
    <canvas ref={canvas} width={grid.width * size} height={grid.height * size} className="absolute inset-0 size-full" />
  );
}

export const Legend = ({ look, step }: { look: Look; step?: Step }) =>
  step && step.cells.length === 0 ? (
    <p className="hint">This model decides all cells of a scale at once and keeps them.</p>
  ) : (
    <p className="hint flex flex-wrap items-center gap-x-2 gap-y-1">
      unsure
      <span
        aria-hidden="true"
        className="h-2 w-24 rounded-full"
        style={{ background: `linear-gradient(to right, ${RAMP.map((c) => `rgb(${c})`).join(",")})` }}
      />
      sure; {look === "Both" ? "coloured" : "small"} squares are still open
    </p>
  );
