/** Form fields with their labels. */
import { type ReactNode, useId } from "react";

interface Named {
  readonly label: string;
  readonly hint?: string;
}

export function Slider({
  label,
  hint,
  value,
  onChange,
  min,
  max,
  step = 1,
}: Named & { value: number; onChange: (value: number) => void; min: number; max: number; step?: number }) {
  const id = useId();
  const filled = `${((value - min) / (max - min || 1)) * 100}%`;
  return (
    <div>
      <div className="flex items-baseline justify-between">
        <label className="label" htmlFor={id}>
          {label}
        </label>
        <output className="figure text-sm text-soft" htmlFor={id}>
          {value}
        </output>
      </div>
      <input
        id={id}
        type="range"
        {...{ min, max, step, value }}
        style={{ "--filled": filled } as React.CSSProperties}
        aria-describedby={hint && `${id}-hint`}
        onChange={(event) => onChange(event.target.valueAsNumber)}
      />
      {hint && (
        <p id={`${id}-hint`} className="hint">
          {hint}
        </p>
      )}
    </div>
  );
}

export function Choice<T extends string>({
  label,
  value,
  options,
  onChange,
}: Named & { value: T; options: readonly T[]; onChange: (value: T) => void }) {
  const id = useId();
  return (
    <div className="space-y-1">
      <label className="label" htmlFor={id}>
        {label}
      </label>
      <select id={id} className="input" value={value} onChange={(event) => onChange(event.target.value as T)}>
        {options.map((option) => (
          <option key={option}>{option}</option>
        ))}
      </select>
    </div>
  );
}

/** A few choices side by side. */
export function Segments<T extends string>({
  label,
  value,
  options,
  onChange,
  hidden = true,
}: Named & { value: T; options: readonly T[]; onChange: (value: T) => void; hidden?: boolean }) {
  const name = useId();
  return (
    <fieldset className="flex items-center gap-2">
      <legend className={hidden ? "sr-only" : "label float-left pr-2"}>{label}</legend>
      <div className="inline-flex rounded-xl bg-well p-1">
        {options.map((option) => (
          <label
            key={option}
            className="rounded-lg px-3 py-1.5 text-sm text-soft has-checked:bg-panel has-checked:text-ink has-checked:shadow-xs has-focus-visible:outline-2 has-focus-visible:outline-accent"
          >
            <input
              type="radio"
              className="sr-only"
              {...{ name }}
              checked={option === value}
              onChange={() => onChange(option)}
            />
            {option}
          </label>
        ))}
      </div>
    </fieldset>
  );
}

export function Toggle({ label, value, onChange }: Named & { value: boolean; onChange: (value: boolean) => void }) {
  return (
    <label className="flex min-h-8 items-center gap-2 text-sm">
      <input
        type="checkbox"
        className="size-4 accent-accent"
        checked={value}
        onChange={(event) => onChange(event.target.checked)}
      />
      {label}
    </label>
  );
}

export const Warnings = ({ error, warnings = [] }: { error?: string; warnings?: readonly string[] }) => (
  <div role="status" className="space-y-1 text-sm text-warn empty:hidden">
    {error && <p className="whitespace-pre-line">{error}</p>}
    {warnings.map((warning) => (
      <p key={warning}>{warning[0].toUpperCase() + warning.slice(1)}.</p>
    ))}
  </div>
);

export const Title = ({ children, hint }: { children: ReactNode; hint?: string }) => (
  <div>
    <h2 className="text-lg font-semibold tracking-tight">{children}</h2>
    {hint && <p className="hint mt-0.5 text-pretty">{hint}</p>}
  </div>
);
