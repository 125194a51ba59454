/** Settings of a drawing. */
import type { How, ModelInfo } from "../engine/types.ts";
import { Choice, Slider } from "./fields.tsx";

const SCHEDULES = ["cosine", "linear", "sigmoid", "pow2"];

export function HowFields({
  how,
  models,
  onChange,
}: {
  how: How;
  models: readonly ModelInfo[];
  onChange: (change: Partial<How>) => void;
}) {
  const ids = models.map(({ id }) => id);
  const { draftScales } = how;
  return (
    <div className="space-y-4">
      {ids.length > 1 && (
        <Choice label="Model" value={how.model} options={ids} onChange={(model) => onChange({ model })} />
      )}
      {draftScales === undefined ? (
        <Slider label="Steps" value={how.steps} min={1} max={32} onChange={(steps) => onChange({ steps })} />
      ) : (
        <Slider
          label="Drafted scales"
          hint={`Of ${how.steps}: the large drafter decides the coarse ones, the small refiner the others.`}
          value={draftScales}
          min={0}
          max={how.steps}
          onChange={(draftScales) => onChange({ draftScales })}
        />
      )}
      <Slider
        label="Guidance"
        value={how.guidance}
        min={0}
        max={6}
        step={0.25}
        onChange={(guidance) => onChange({ guidance })}
      />
      {draftScales === undefined && (
        <>
          <Slider
            label="Temperature"
            value={how.temperature}
            min={0}
            max={3}
            step={0.1}
            onChange={(temperature) => onChange({ temperature })}
          />
          <Choice
            label="Schedule"
            value={how.schedule}
            options={SCHEDULES}
            onChange={(schedule) => onChange({ schedule })}
          />
        </>
      )}
    </div>
  );
}
