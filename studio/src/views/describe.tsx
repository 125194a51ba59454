/** A picture becomes a sentence: what each pass guessed, and what of it stayed. */
import { useEffect, useRef, useState } from "react";
import type { Pass, TextOutcome } from "../engine/types.ts";
import { Segments, Slider, Title, Warnings } from "../parts/fields.tsx";
import { PictureInput } from "../parts/picture-input.tsx";
import { engine, say, useModels } from "../state/app.ts";
import { isAbort, messageOf, usePicture } from "../state/drawing.ts";

interface Reading {
  readonly busy: boolean;
  readonly passes: readonly Pass[];
  readonly outcome?: TextOutcome;
  readonly error: string;
}

export function Describe() {
  const [picture, setPicture] = usePicture();
  const { ready } = engine.use();
  const { model } = useModels("describe");
  const [question, setQuestion] = useState("");
  const [decoding, setDecoding] = useState<"jacobi" | "ar">("jacobi");
  const [block, setBlock] = useState(16);
  const [reading, setReading] = useState<Reading>({ busy: false, passes: [], error: "" });
  const running = useRef<AbortController>(undefined);
  useEffect(() => () => running.current?.abort(), []);

  async function read() {
    if (!ready || !model || !picture) return;
    running.current?.abort();
    const { signal } = (running.current = new AbortController());
    setReading({ busy: true, passes: [], error: "" });
    try {
      const request = { model: model.id, image: picture, question, decoding, block };
      const add = (pass: Pass) => !signal.aborted && setReading((now) => ({ ...now, passes: [...now.passes, pass] }));
      const outcome = await ready.describe(request, add, signal);
      if (signal.aborted) return;
      setReading((now) => ({ ...now, busy: false, outcome }));
      say(`Answer: ${outcome.text}`);
    } catch (error) {
      if (!signal.aborted)
        setReading((now) => ({ ...now, busy: false, error: isAbort(error) ? "" : messageOf(error) }));
    }
  }

  const { passes, outcome, busy } = reading;
  return (
    <div className="grid items-start gap-4 lg:grid-cols-[22rem_1fr]">
      <form
        className="panel space-y-4"
        onSubmit={(event) => {
          event.preventDefault();
          void read();
        }}
      >
        <Title hint="Ask about a picture, or leave the question empty for a description.">Describe</Title>
        <PictureInput picture={picture} onChange={setPicture} />
        <div className="space-y-1">
          <label className="label" htmlFor="question">
            Question
          </label>
          <input
            id="question"
            className="input"
            value={question}
            placeholder={model?.question ?? "describe the picture."}
            onChange={(event) => setQuestion(event.target.value)}
          />
        </div>
        <Segments
          label="Tokens a pass"
          value={decoding === "jacobi" ? "Several at once" : "One by one"}
          options={["Several at once", "One by one"]}
          onChange={(value) => setDecoding(value === "One by one" ? "ar" : "jacobi")}
        />
        {decoding === "jacobi" && <Slider label="Block" value={block} min={1} max={32} onChange={setBlock} />}
        <button type="submit" className="button primary w-full" disabled={!ready || !picture || busy}>
          Describe
        </button>
      </form>

      <section className="panel min-h-60 space-y-5" aria-label="Answer" aria-busy={busy}>
        <p className="text-2xl leading-snug font-medium text-pretty">
          {outcome?.text ?? passes.at(-1)?.text ?? (
            <span className="text-base text-soft">The answer appears here.</span>
          )}
        </p>
        {outcome && (
          <p className="hint figure">
            {outcome.tokens} tokens in {outcome.passes} passes: {(outcome.tokens / outcome.passes).toFixed(1)} a pass,{" "}
            {(outcome.ms / 1000).toFixed(2)} s
          </p>
        )}
        {passes.length > 0 && <Trajectory passes={passes} final={outcome?.text} />}
        <Warnings error={reading.error} warnings={outcome?.warnings} />
      </section>
    </div>
  );
}

/** Each pass as a line: what is settled, then what it guessed, marked where the guess turned out right. */
function Trajectory({ passes, final }: { passes: readonly Pass[]; final?: string }) {
  return (
    <div>
      <h3 className="label mb-2">What each pass guessed</h3>
      <ol className="space-y-1.5" aria-label="Passes">
        {passes.map(({ text, draft, tokens }, i) => (
          <li
            key={`${i} ${tokens}`}
            className="grid grid-cols-[2.5rem_1fr] items-baseline gap-2 rounded-lg bg-well px-3 py-2"
          >
            <span className="figure text-sm text-soft">{i + 1}</span>
            <span className="leading-relaxed break-words">
              <span className="font-medium">{text}</span>
              {wordsOf(draft).map(({ word, before }, at) => {
                const right = final?.slice(text.length + before).startsWith(word);
                return (
                  <span
                    key={`${at} ${word}`}
                    className={
                      right ? "text-accent underline decoration-dotted underline-offset-4" : "text-soft line-through"
                    }
                  >
                    {word}
                  </span>
                );
              })}
            </span>
          </li>
        ))}
      </ol>
      <p className="hint mt-2">
        Plain words are settled. Dotted guesses turned out right, so several words settle at once; struck ones changed.
      </p>
    </div>
  );
}

/** Words with the space before them, and how many characters lie before each. */
function wordsOf(text: string): { word: string; before: number }[] {
  let before = 0;
  return (text.match(/\s*\S+/g) ?? []).map((word) => {
    before += word.length;
    return { word, before: before - word.length };
  });
}
