/** A picture with a handle at each edge: dragged, or moved by arrow keys, it makes room for more picture. */
import { useRef } from "react";
import type { Edge, Margins } from "../engine/types.ts";

export const EDGES: readonly Edge[] = ["left", "right", "up", "down"];
const sideways = (edge: Edge): boolean => edge === "left" || edge === "right";
/** Where an edge is moved to by a drag to the right or down: outwards or inwards. */
const outwards = (edge: Edge): number => (edge === "right" || edge === "down" ? 1 : -1);

/** A picture grows sideways or up and down, not both. */
export function withMargin(margins: Margins, edge: Edge, cells: number): Margins {
  const kept = sideways(edge) ? { ...margins, up: 0, down: 0 } : { ...margins, left: 0, right: 0 };
  return { ...(cells > 0 ? kept : margins), [edge]: cells };
}

const PLACES: Record<Edge, string> = {
  left: "left-0 top-1/2 h-14 w-3 -translate-x-1/2 -translate-y-1/2 cursor-ew-resize",
  right: "right-0 top-1/2 h-14 w-3 translate-x-1/2 -translate-y-1/2 cursor-ew-resize",
  up: "top-0 left-1/2 h-3 w-14 -translate-x-1/2 -translate-y-1/2 cursor-ns-resize",
  down: "bottom-0 left-1/2 h-3 w-14 -translate-x-1/2 translate-y-1/2 cursor-ns-resize",
};

export function ExtendHandles({
  url,
  side,
  margins,
  onChange,
}: {
  url: string;
  side: number;
  margins: Margins;
  onChange: (margins: Margins) => void;
}) {
  const area = useRef<HTMLDivElement>(null);
  const drag = useRef<{ from: number; start: number } | undefined>(undefined);
  const most = side / 2;
  const set = (edge: Edge, cells: number) =>
    onChange(withMargin(margins, edge, Math.min(Math.max(Math.round(cells), 0), most)));
  /** Share of the area, which is as wide as two pictures. */
  const share = (cells: number) => `${(cells / (2 * side)) * 100}%`;
  const frame = {
    left: share(most - margins.left),
    right: share(most - margins.right),
    top: share(most - margins.up),
    bottom: share(most - margins.down),
  };
  const inner = { left: share(most), right: share(most), top: share(most), bottom: share(most) };
  return (
    <div ref={area} className="relative aspect-square w-full overflow-hidden rounded-2xl border border-line bg-well">
      <div
        className="absolute rounded-lg border-2 border-dashed border-accent bg-[repeating-linear-gradient(45deg,var(--line)_0_1px,transparent_1px_8px)]"
        style={frame}
      />
      <img
        src={url}
        alt=""
        className="pixels absolute aspect-square object-cover"
        style={{ ...inner, width: "50%" }}
        draggable={false}
      />
      <div className="absolute" style={frame}>
        {EDGES.map((edge) => (
          <div
            key={edge}
            role="slider"
            tabIndex={0}
            aria-label={`Add on the ${edge === "up" ? "top" : edge === "down" ? "bottom" : edge}`}
            aria-orientation={sideways(edge) ? "horizontal" : "vertical"}
            aria-valuemin={0}
            aria-valuemax={most}
            aria-valuenow={margins[edge]}
            aria-valuetext={`${margins[edge]} cells`}
            className={`absolute touch-none rounded-full border-2 border-panel bg-accent ${PLACES[edge]}`}
            onKeyDown={(event) => {
              const grows = ["ArrowRight", "ArrowDown"].includes(event.key)
                ? 1
                : ["ArrowLeft", "ArrowUp"].includes(event.key)
                  ? -1
                  : 0;
              if (!grows) return;
              event.preventDefault();
              set(edge, margins[edge] + grows * outwards(edge));
            }}
            onPointerDown={(event) => {
              event.currentTarget.setPointerCapture(event.pointerId);
              drag.current = { from: sideways(edge) ? event.clientX : event.clientY, start: margins[edge] };
            }}
            onPointerMove={(event) => {
              if (!drag.current) return;
              const moved = (sideways(edge) ? event.clientX : event.clientY) - drag.current.from;
              const cell = area.current!.clientWidth / (2 * side);
              set(edge, drag.current.start + (moved / cell) * outwards(edge));
            }}
            onPointerUp={() => (drag.current = undefined)}
            onPointerCancel={() => (drag.current = undefined)}
          />
        ))}
      </div>
    </div>
  );
}
