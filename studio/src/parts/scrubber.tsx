/** Goes through the steps of a drawing: by hand, by keys, or as a film. */
import { useEffect, useState } from "react";
import { IconButton } from "./icon.tsx";

/** `at` counts from 1; 0 steps: nothing is there yet. */
export function Scrubber({
  steps,
  total,
  at,
  onChange,
  label = "Step",
  shown = `${at} / ${total}`,
}: {
  steps: number;
  total: number;
  at: number;
  onChange: (at: number) => void;
  label?: string;
  /** What stands beside it. */
  shown?: string;
}) {
  const [playing, setPlaying] = useState(false);
  useEffect(() => {
    if (!playing) return;
    if (at >= steps) return setPlaying(false);
    const timer = setTimeout(() => onChange(at + 1), 1800 / Math.max(total, 6));
    return () => clearTimeout(timer);
  }, [playing, at, steps, total, onChange]);
  const play = () => {
    if (!playing && at >= steps) onChange(1);
    setPlaying(!playing);
  };
  return (
    <div className="flex items-center gap-2">
      <IconButton
        icon={playing ? "pause" : "play"}
        label={playing ? "Pause" : "Play the steps"}
        onClick={play}
        disabled={steps < 2}
      />
      <input
        type="range"
        aria-label={label}
        aria-valuetext={shown}
        min={1}
        max={Math.max(total, 1)}
        value={Math.max(at, 1)}
        disabled={steps === 0}
        style={{ "--filled": `${total > 1 ? ((at - 1) / (total - 1)) * 100 : 100}%` } as React.CSSProperties}
        onChange={(event) => onChange(Math.min(event.target.valueAsNumber, steps))}
      />
      <span className="figure w-16 shrink-0 text-right text-sm text-soft">{shown}</span>
    </div>
  );
}

/** The step to show: the newest while they come, then the one that was chosen. */
export function useScrub(steps: number): [at: number, choose: (at: number) => void] {
  const [chosen, setChosen] = useState<number | undefined>(undefined);
  useEffect(() => {
    if (steps === 0) setChosen(undefined);
  }, [steps]);
  return [Math.min(chosen ?? steps, steps), (at) => setChosen(at)];
}
