/** The seed, and whether it stays. */
import { useId } from "react";
import { settings } from "../state/app.ts";
import { Icon } from "./icon.tsx";

export function SeedField() {
  const { seed, locked } = settings.use();
  const id = useId();
  return (
    <div className="space-y-1">
      <label className="label" htmlFor={id}>
        Seed
      </label>
      <div className="flex gap-2">
        <input
          id={id}
          className="input figure"
          type="number"
          inputMode="numeric"
          value={seed}
          onChange={(event) => {
            const typed = event.target.valueAsNumber;
            if (Number.isSafeInteger(typed) && Math.abs(typed) < 2 ** 48) settings.set({ seed: typed, locked: true });
          }}
        />
        <button
          type="button"
          className="button px-3"
          aria-pressed={locked}
          aria-label="Keep this seed"
          title={locked ? "The seed stays" : "Another seed each time"}
          onClick={() => settings.set({ locked: !locked })}
        >
          <Icon name={locked ? "lock" : "unlock"} />
        </button>
      </div>
    </div>
  );
}
