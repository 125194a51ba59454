/**
 * A converted model as a process that is asked like the PyTorch peers: one JSON request a line, {"ms", "rss"} back. Beside
 * drawing and describing it times single passes.
 */
import { createInterface } from "node:readline";
import { f32 } from "fewstep/base";
import { argmax, blank, categorical, collect, decodeJacobi, decodeMasked, randomGuess, seeded } from "fewstep/decode";
import { type DTypeChoice, loadNetworks } from "fewstep/models";
import { gridSide, imagePredictor, questionIds, textPredictor } from "fewstep/models/showo";

export type FullRequest =
  | { task: "draw"; prompt: number[]; steps: number; guidance: number }
  | { task: "describe"; codes: number[]; question: number[]; tokens: number }
  /** One pass of so many tokens behind `past` rows, without a head. */
  | { task: "pass"; tokens: number; past: number };

const [folder, dtype, threads] = process.argv.slice(2);
const start = performance.now();
const { config, transformer, tokenizer } = await loadNetworks(folder, {
  dtype: dtype as DTypeChoice,
  host: "inline",
  threads: Number(threads) || undefined,
});
const { showo } = config;
const { packed } = transformer;
if (!packed) throw new Error(`${folder}: not a converted model`);
const side = gridSide(showo);
const user = { rows: 0 };

const pass = (tokens: number, past: number) =>
  packed.use(user, past + tokens, (cache) =>
    cache.forward(new Array<number>(tokens).fill(1), past, 0, f32([1, tokens, past + tokens])),
  );

async function work(request: FullRequest): Promise<void> {
  if (request.task === "pass") {
    await pass(request.tokens, request.past);
    return;
  }
  if (request.task === "draw") {
    const { prompt, steps, guidance } = request;
    const predictor = await imagePredictor(transformer, { prompts: [prompt], guidance });
    const states = await collect(
      decodeMasked(predictor, blank(1, showo.imageTokens), {
        passes: steps,
        sample: categorical({ noise: seeded(1, "sample") }),
        noise: seeded(1, "remask"),
      }),
    );
    await tokenizer.decode(states.at(-1)!.sampled.ids_BL, side, side);
    return;
  }
  const { codes, question, tokens } = request;
  const prompt = questionIds(showo, codes, question);
  const predictor = await textPredictor(transformer, { prompt, slots: tokens });
  const guess = randomGuess([showo.endOfText], seeded(1, "guess"));
  await collect(decodeJacobi(predictor, blank(1, tokens), { block: 1, sample: argmax, guess }));
}

const say = (value: object) => process.stdout.write(`${JSON.stringify(value)}\n`);
// Ready means that a pass has run: programs are opened when they are first needed.
await pass(1, 0);
say({ ready: (performance.now() - start) / 1000 });
for await (const line of createInterface({ input: process.stdin })) {
  const begun = performance.now();
  await work(JSON.parse(line) as FullRequest);
  say({ ms: performance.now() - begun, rss: process.resourceUsage().maxRSS * 1024 });
}
process.exit(0);
