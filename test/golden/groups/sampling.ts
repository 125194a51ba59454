/** Schedules, mask lengths and the choice of cells to mask again. */
import {
  cutoff,
  recorded,
  remaskScore,
  type Schedule,
  type ScheduleName,
  schedule,
  scheduledLength,
  sigmoid,
} from "fewstep/decode";
import { z } from "zod";
import type { Case } from "../case.ts";
import type { Checks } from "../checks.ts";

const sigmoidSettings = z.object({ start: z.number(), end: z.number(), tau: z.number() });

/** "sigmoid" and "sigmoid_NAME" take their settings from the case's parameters. */
function scheduleOf(c: Case, name: string): Schedule {
  if (!name.startsWith("sigmoid")) return schedule(name as ScheduleName);
  const key = name === "sigmoid" ? "sigmoid_default" : name;
  const { start, end, tau } = c.params({ [key]: sigmoidSettings })[key];
  return sigmoid(start, end, tau);
}

export const sampling: Checks = {
  schedules(c) {
    const times = c.numbers("t");
    for (const name of c.fields("").filter((field) => field !== "t")) c.check(name, times.map(scheduleOf(c, name)));
  },

  mask_lens(c) {
    const { step_counts } = c.params({ step_counts: z.array(z.int()) });
    for (const field of c.fields("")) {
      const [name, slots] = field.split("_");
      const columns = c.get(field).shape[1];
      const lengths = step_counts.flatMap((steps) =>
        Array.from({ length: columns }, (_, s) =>
          s < steps ? scheduledLength(schedule(name as ScheduleName), (s + 1) / steps, Number(slots)) : -9,
        ),
      );
      c.check(field, lengths);
    }
  },

  mask_by_random_topk(c) {
    const { temperature } = c.params({ temperature: z.number() });
    const slots = c.get("probs").shape[1];
    const noise = recorded([c.numbers("uniforms")], slots);
    const score = Float32Array.from(c.numbers("probs"), (p, i) =>
      remaskScore(p, temperature, noise(1, Math.floor(i / slots), i % slots)),
    );
    c.check("confidence", score);
    const lengths = c.numbers("mask_len");
    const masked = lengths.flatMap((length, row) => {
      const score_L = score.subarray(row * slots, (row + 1) * slots);
      const limit = cutoff(score_L, length);
      return Array.from(score_L, (x) => x < limit);
    });
    c.check("masked", masked);
  },
};
