/**
 * The process of one model: loads it, does batches of work one after the other, tells what happens. It ends when the
 * server does, or when the server kills it, which gives all of its memory back.
 */
import os from "node:os";
import { FewstepError, internal } from "../../base/index.ts";
import { pictureSide } from "../../models/msvq/index.ts";
import { type LabelModel, loadLabelModel, loadModel, type Model } from "../../tasks/index.ts";
import {
  type About,
  type Assignment,
  type DescribeWork,
  drawsClasses,
  type EditWork,
  type Failed,
  type FromEngine,
  type GenerateWork,
  type ToEngine,
} from "../work.ts";
import { generateClass } from "./classes.ts";
import { describe } from "./describe.ts";
import { edit, generateTogether } from "./draw.ts";
import type { Member } from "./hand-over.ts";

// Requests are heard and answered while all cores compute. Threads made later inherit it.
os.setPriority(os.constants.priority.PRIORITY_BELOW_NORMAL);

const running = new Map<string, AbortController>();
type Members = readonly Member<Assignment["work"]>[];
let work: ((members: Members) => Promise<void>) | undefined;

const say = (message: FromEngine): void => void process.send?.(message, undefined, undefined, () => {});

function failed(error: unknown): Failed {
  if (error instanceof FewstepError) return { message: error.message, code: error.code, where: error.where };
  return { message: error instanceof Error ? error.message : String(error), code: "INTERNAL" };
}

function aboutOf({ config }: Model): About {
  const { showo, magvit, defaults, text, words } = config;
  return {
    resolution: magvit.resolution,
    grid: Math.sqrt(showo.imageTokens),
    codebook: showo.codebookSize,
    defaults: { steps: defaults.steps, guidance: defaults.guidance, temperature: defaults.temperature },
    question: text.captionQuestion,
    maxTokens: text.maxTokens ?? showo.maxTextTokens,
    words,
  };
}

function aboutClasses({ config, tokenizer }: LabelModel): About {
  const { sides } = tokenizer.config;
  const { guidance, draftScales = sides.length } = config.defaults;
  return {
    resolution: pictureSide(tokenizer.config),
    grid: sides.at(-1)!,
    codebook: tokenizer.config.codebookSize,
    defaults: { steps: sides.length, guidance, draftScales },
    classes: config.classes ?? [],
  };
}

const sentences =
  (model: Model) =>
  async (members: Members): Promise<void> => {
    const { task } = members[0].work;
    if (task === "generate") await generateTogether(model, members as readonly Member<GenerateWork>[]);
    else if (task === "edit") await edit(model, members[0] as Member<EditWork>);
    else await describe(model, members[0] as Member<DescribeWork>);
  };

async function load({ source, threads }: Extract<ToEngine, { kind: "load" }>): Promise<void> {
  try {
    // This process is the engine's own: nobody else's event loop is blocked.
    if (drawsClasses(source)) {
      const model = await loadLabelModel(source, { threads, host: "inline" });
      work = ([member]) => generateClass(model, member as Member<GenerateWork>);
      say({ kind: "ready", about: aboutClasses(model) });
    } else {
      const model = await loadModel(source, { threads, host: "inline" });
      work = sentences(model);
      say({ kind: "ready", about: aboutOf(model) });
    }
  } catch (error) {
    say({ kind: "unloadable", error: failed(error) });
  }
}

async function run(batch: readonly Assignment[]): Promise<void> {
  const begin = work ?? internal("work came before the model");
  const members = batch.map(({ id, work }): Member<Assignment["work"]> => {
    const controller = new AbortController();
    running.set(id, controller);
    return {
      work,
      signal: controller.signal,
      tell: (event) => say({ kind: "event", id, event }),
      fail: (error) => say({ kind: "failed", id, error: failed(error) }),
    };
  });
  await begin(members);
  running.clear();
  say({ kind: "idle" });
}

process.on("message", (message: ToEngine) => {
  if (message.kind === "load") void load(message);
  else if (message.kind === "run") void run(message.batch);
  else running.get(message.id)?.abort();
});
process.on("disconnect", () => process.exit());
// Ctrl-C in a terminal reaches this process too; the server decides when it ends.
process.on("SIGINT", () => {});
