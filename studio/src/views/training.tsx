/** Training runs as they go: curves and sample sheets. */
import { useEffect, useMemo, useState } from "react";
import { Chart } from "../parts/chart.tsx";
import { Choice, Title } from "../parts/fields.tsx";
import { Icon } from "../parts/icon.tsx";
import { curvesOf, type Entry, entriesOf, listRuns, type RunInfo, readRun, sampleUrl } from "../state/runs.ts";

const EVERY_MS = 3000;

export function Training() {
  const [runs, setRuns] = useState<readonly RunInfo[] | undefined>(undefined);
  const [name, setName] = useState("");
  const [entries, setEntries] = useState<readonly Entry[]>([]);
  const [samples, setSamples] = useState<readonly string[]>([]);

  useEffect(() => {
    listRuns().then(
      (found) => {
        setRuns(found);
        setName((now) => now || (found[0]?.name ?? ""));
      },
      () => setRuns([]),
    );
  }, []);

  useEffect(() => {
    if (!name || name.endsWith(".jsonl")) return;
    let [over, after] = [false, 0];
    setEntries([]);
    setSamples([]);
    async function look() {
      while (!over) {
        const part = await readRun(name, after).catch(() => undefined);
        if (over) return;
        if (part) {
          // A run that began anew has a shorter log.
          const anew = part.lines < after;
          after = anew ? 0 : part.lines;
          setEntries((now) => (anew ? [] : [...now, ...part.entries]));
          setSamples(part.samples);
        }
        await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
      }
    }
    void look();
    return () => {
      over = true;
    };
  }, [name]);

  const curves = useMemo(() => curvesOf(entries), [entries]);
  return (
    <section className="space-y-4" aria-label="Training">
      <div className="flex flex-wrap items-end justify-between gap-3">
        <Title hint="Curves and samples come in while a run goes on.">Training</Title>
        <div className="flex flex-wrap items-end gap-3">
          {runs && runs.length > 0 && (
            <Choice label="Run" value={name} options={runs.map((run) => run.name)} onChange={setName} />
          )}
          <label className="button has-focus-visible:outline-2 has-focus-visible:outline-accent">
            <Icon name="upload" /> Open a metrics.jsonl
            <input
              type="file"
              accept=".jsonl,.json,.txt"
              className="sr-only"
              onChange={async (event) => {
                const [file] = event.target.files ?? [];
                if (!file) return;
                setName(file.name.endsWith(".jsonl") ? file.name : `${file.name}.jsonl`);
                setSamples([]);
                setEntries(entriesOf(await file.text()));
              }}
            />
          </label>
        </div>
      </div>
      {runs?.length === 0 && entries.length === 0 && (
        <div className="panel space-y-2 py-10 text-center">
          <p>No runs here.</p>
          <p className="hint">
            <code>npx fewstep studio --runs out</code> shows the runs in a folder; or open the log of one.
          </p>
        </div>
      )}
      <div className="grid gap-4 lg:grid-cols-2">
        {curves.map((curve) => (
          <Chart key={curve.title} {...curve} />
        ))}
      </div>
      {samples.length > 0 && (
        <div className="space-y-3">
          <h3 className="label">Samples, the newest first</h3>
          <ul className="grid gap-4 lg:grid-cols-2">
            {samples.toReversed().map((sample) => (
              <li key={sample} className="panel">
                <img
                  src={sampleUrl(name, sample)}
                  alt={`Samples of ${sample}`}
                  loading="lazy"
                  className="w-full rounded-lg"
                />
                <p className="hint mt-2">{sample}</p>
              </li>
            ))}
          </ul>
        </div>
      )}
    </section>
  );
}
