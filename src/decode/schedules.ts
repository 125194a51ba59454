/** How much of a canvas stays masked at time t in 0 ... 1 (Show-o spec section 5), in float32 like the published models. */
import { fail } from "../base/index.ts";

export type Schedule = (t: number) => number;
export type ScheduleName = "cosine" | "linear" | "sigmoid" | `pow${number}`;

const f = Math.fround;
const clamp = (x: number) => Math.min(Math.max(f(x), f(1e-6)), 1);

/** Every operation is rounded: at t = 2/3 the exact cosine would leave one cell more masked than the published code. */
export const cosine: Schedule = (t) => f(Math.cos(f(f(f(t) * f(Math.PI)) * 0.5)));
export const linear: Schedule = (t) => clamp(1 - f(t));
export const pow =
  (exponent: number): Schedule =>
  (t) =>
    clamp(1 - f(f(t) ** exponent));

export function sigmoid(start = -3, end = 3, tau = 1): Schedule {
  const at = (x: number) => f(1 / (1 + Math.exp(-f(x / tau))));
  const [from, to] = [at(start), at(end)];
  return (t) => clamp(f(to - at(f(f(t) * (end - start)) + start)) / f(to - from));
}

/** A schedule by name ("cosine", "linear", "sigmoid", "pow2", "pow0.5") or a function of your own. */
export function schedule(which: ScheduleName | Schedule): Schedule {
  if (typeof which === "function") return which;
  if (which === "cosine") return cosine;
  if (which === "linear") return linear;
  if (which === "sigmoid") return sigmoid();
  const exponent = /^pow(\d+(?:\.\d+)?)$/.exec(which)?.[1];
  if (exponent !== undefined && Number(exponent) > 0) return pow(Number(exponent));
  return fail("unknown mask schedule", {
    expected: "cosine, linear, sigmoid or pow followed by a positive exponent, such as pow2",
    got: String(which),
  });
}
