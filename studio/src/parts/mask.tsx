/** Marks cells of a picture with a brush, or with the arrow keys and space. */
import { useEffect, useRef, useState } from "react";
import { say } from "../state/app.ts";

/** Marked cells, row by row; side * side of them. */
export type Marks = ReadonlySet<number>;

export function MaskBrush({
  url,
  side,
  marks,
  onChange,
  brush,
  erasing,
}: {
  url: string;
  side: number;
  marks: Marks;
  onChange: (marks: Marks) => void;
  brush: number;
  erasing: boolean;
}) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const stroke = useRef<Set<number> | undefined>(undefined);
  const [cursor, setCursor] = useState<{ x: number; y: number } | undefined>(undefined);
  const size = 32;

  useEffect(() => {
    const draw = canvas.current!.getContext("2d")!;
    draw.clearRect(0, 0, side * size, side * size);
    const accent = getComputedStyle(document.documentElement).getPropertyValue("--accent");
    for (const cell of marks) {
      draw.fillStyle = accent;
      draw.globalAlpha = 0.72;
      draw.fillRect((cell % side) * size, Math.floor(cell / side) * size, size, size);
    }
    draw.globalAlpha = 1;
    draw.strokeStyle = "rgb(127 127 127 / 0.35)";
    for (let i = 1; i < side; i++) {
      draw.strokeRect(i * size, -1, 0, side * size + 2);
      draw.strokeRect(-1, i * size, side * size + 2, 0);
    }
    if (!cursor) return;
    draw.lineWidth = 4;
    draw.strokeStyle = accent;
    draw.strokeRect(cursor.x * size, cursor.y * size, size, size);
    draw.lineWidth = 1;
  }, [marks, side, cursor]);

  /** Marks or clears the cells under a brush whose middle is at (x, y), in cells. */
  const paint = (on: Set<number>, x: number, y: number) => {
    for (let row = 0; row < side; row++)
      for (let column = 0; column < side; column++) {
        const near = Math.max(Math.abs(column + 0.5 - x), Math.abs(row + 0.5 - y)) <= brush / 2;
        if (!near) continue;
        if (erasing) on.delete(row * side + column);
        else on.add(row * side + column);
      }
  };
  const at = (event: React.PointerEvent) => {
    const box = canvas.current!.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * side, ((event.clientY - box.top) / box.height) * side] as const;
  };
  const move = (event: React.PointerEvent) => {
    if (!stroke.current) return;
    paint(stroke.current, ...at(event));
    onChange(new Set(stroke.current));
  };
  const keys = (event: React.KeyboardEvent) => {
    const now = cursor ?? { x: 0, y: 0 };
    const moves: Record<string, [number, number]> = {
      ArrowLeft: [-1, 0],
      ArrowRight: [1, 0],
      ArrowUp: [0, -1],
      ArrowDown: [0, 1],
    };
    const cell = now.y * side + now.x;
    if (event.key === " " || event.key === "Enter") {
      const next = new Set(marks);
      if (!next.delete(cell)) next.add(cell);
      onChange(next);
      say(next.has(cell) ? "marked" : "not marked");
    } else if (moves[event.key]) {
      const inside = (value: number) => Math.min(Math.max(value, 0), side - 1);
      const next = { x: inside(now.x + moves[event.key][0]), y: inside(now.y + moves[event.key][1]) };
      setCursor(next);
      const marked = marks.has(next.y * side + next.x) ? "marked" : "not marked";
      say(`row ${next.y + 1}, column ${next.x + 1}, ${marked}`);
    } else return;
    event.preventDefault();
  };

  return (
    <div className="relative overflow-hidden rounded-2xl border border-line bg-well">
      <img src={url} alt="" className="pixels aspect-square w-full object-cover" draggable={false} />
      {/* biome-ignore lint/a11y/noInteractiveElementToNoninteractiveRole: arrow keys belong to the mask, not to the reader. */}
      <canvas
        ref={canvas}
        width={side * size}
        height={side * size}
        role="application"
        aria-roledescription="mask"
        aria-label={`Mask of ${side} by ${side} cells, ${marks.size} marked. Arrow keys move, space marks.`}
        tabIndex={0}
        className="absolute inset-0 size-full cursor-crosshair touch-none"
        onKeyDown={keys}
        onFocus={(event) => event.target.matches(":focus-visible") && setCursor({ x: 0, y: 0 })}
        onBlur={() => setCursor(undefined)}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          stroke.current = new Set(marks);
          move(event);
        }}
        onPointerMove={move}
        onPointerUp={() => (stroke.current = undefined)}
        onPointerCancel={() => (stroke.current = undefined)}
      />
    </div>
  );
}
