/** What the whole page shares: which view, which engine, how to draw, what happened. */
import { capabilities, serverEngine } from "../engine/server.ts";
import type { Engine, How, ModelInfo, PictureSettings, Task } from "../engine/types.ts";
import { createStore, keptStore } from "./store.ts";

export const VIEWS = ["Draw", "Edit", "Describe", "Compare", "Gallery", "Training", "Results"] as const;
export type View = (typeof VIEWS)[number];

const viewOf = (hash: string): View => VIEWS.find((view) => hash === `#${view.toLowerCase()}`) ?? "Draw";

export const app = createStore({
  view: viewOf(location.hash),
  /** A picture on its way to a view that takes one. */
  picture: undefined as Uint8Array<ArrayBuffer> | undefined,
  /** What a screen reader says, and what is shown for a moment. */
  said: "",
  toast: "",
});

export function show(view: View, picture?: Uint8Array<ArrayBuffer>): void {
  if (location.hash !== `#${view.toLowerCase()}`) history.pushState(undefined, "", `#${view.toLowerCase()}`);
  if (app.get().view !== view) scrollTo(0, 0);
  app.set(picture ? { view, picture } : { view });
}
addEventListener("popstate", () => app.set({ view: viewOf(location.hash) }));

export const say = (said: string): void => app.set({ said });

let hiding: ReturnType<typeof setTimeout> | undefined;
export function toast(text: string): void {
  app.set({ toast: text, said: text });
  clearTimeout(hiding);
  hiding = setTimeout(() => app.set({ toast: "" }), 6000);
}

// ---- how to draw ---------------------------------------------------------------------------------------------------

export const settings = keptStore("fewstep-settings", {
  prompt: "a photo of four cars",
  /** What a person chose; the rest is as the model draws by itself. */
  how: {} as Partial<How>,
  seed: 7,
  locked: false,
  n: 4,
  live: true,
});

/** How a model draws: as chosen, else by its own defaults. Default: the first model that there is. */
export function howOf(models: readonly ModelInfo[], chosen: Partial<How>): How {
  const model = models.find(({ id }) => id === chosen.model) ?? models[0];
  const { id = "", steps = 16, guidance = 0, temperature = 1, draftScales } = model ?? {};
  const how = { steps, guidance, temperature, schedule: "cosine", ...chosen, model: id };
  return draftScales === undefined
    ? { ...how, draftScales: undefined }
    : { ...how, steps, draftScales: chosen.draftScales ?? draftScales };
}

/** Further choices. Another model draws by its own defaults. */
export const choose = (how: Partial<How>, change: Partial<How>): Partial<How> =>
  change.model === undefined ? { ...how, ...change } : change;

/** As a picture was drawn. */
export function restore({ prompt, seed, task: _, ...made }: PictureSettings): void {
  const { model, steps, guidance, temperature, schedule, draftScales } = made;
  const how =
    draftScales === undefined ? { model, steps, guidance, temperature, schedule } : { model, guidance, draftScales };
  settings.set({ prompt, how, seed, locked: true, n: 1 });
  show("Draw");
  toast(`Settings restored: seed ${seed}, ${steps} steps`);
}

/** The seed to draw with: another one each time unless it is locked. */
export function nextSeed(): number {
  const { locked, seed } = settings.get();
  if (locked) return seed;
  const fresh = Math.floor(Math.random() * 1e6);
  settings.set({ seed: fresh });
  return fresh;
}

export const theme = keptStore("fewstep-theme", { name: "" });
export function applyTheme(): void {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = theme.get().name || (dark ? "dark" : "light");
}

// ---- the engine ----------------------------------------------------------------------------------------------------

export type Place = Engine["place"];
export const engine = createStore({
  place: "browser" as Place,
  /** Whether this page came from a server with models. */
  hasServer: false,
  loading: 0 as number | undefined,
  ready: undefined as Engine | undefined,
  error: "",
  /** Whether the page works without a network. */
  kept: false,
});

/** Looks for a server, then starts where the person last was. */
export async function startEngine(): Promise<void> {
  const hasServer = (await capabilities()) !== undefined;
  engine.set({ hasServer });
  const wanted = new URLSearchParams(location.search).get("in") ?? localStorage.getItem("fewstep-place");
  await runIn(hasServer && wanted !== "browser" ? "server" : "browser");
}

let turn = 0;
export async function runIn(place: Place): Promise<void> {
  const mine = ++turn;
  void engine.get().ready?.close();
  engine.set({ place, loading: 0, ready: undefined, error: "" });
  try {
    const make = async () => {
      if (place === "server") return serverEngine();
      const { browserEngine } = await import("../engine/browser.ts");
      return browserEngine((loading) => mine === turn && engine.set({ loading }));
    };
    const ready = await make();
    if (mine !== turn) return void ready.close();
    engine.set({ ready, loading: undefined });
    if (place === "browser") void keepFiles(ready);
    say(`The model is ready in the ${place}.`);
  } catch (error) {
    if (mine === turn)
      engine.set({ loading: undefined, error: error instanceof Error ? error.message : String(error) });
  }
}

export interface Models {
  readonly models: readonly ModelInfo[];
  /** How the page uses them. */
  readonly how: How;
  /** The one that was chosen, else the first. */
  readonly model: ModelInfo | undefined;
  /** Chooses for the whole page. */
  change(more: Partial<How>): void;
}

/** The models that do a task. */
export function useModels(task: Task): Models {
  const all = engine.use().ready?.models ?? [];
  const { how: chosen } = settings.use();
  const models = all.filter(({ tasks }) => tasks.includes(task));
  // What was chosen for a model that does something else means nothing to these.
  const other = all.some(({ id }) => id === chosen.model) && !models.some(({ id }) => id === chosen.model);
  const own = other ? {} : chosen;
  const how = howOf(models, own);
  const change = (more: Partial<How>) => settings.set({ how: choose(own, more) });
  return { models, how, model: models.find(({ id }) => id === how.model), change };
}

/**
 * Asks the worker of the page to keep its files. Those of the other device stay away, and weights that nobody has asked
 * for; it keeps what is fetched later by itself.
 */
async function keepFiles({ device, files: weights }: Engine): Promise<void> {
  const { serviceWorker } = navigator;
  if (!serviceWorker?.controller) return;
  const page = location.href.replace(/[?#].*/, "");
  const files: string[] = await fetch("files.json").then(
    (response) => response.json(),
    () => [],
  );
  const other = device === "WebGPU" ? /ort\.wasm|threaded-/ : /ort\.webgpu|asyncify/;
  serviceWorker.addEventListener("message", () => engine.set({ kept: true }), { once: true });
  const needed = files.filter((name) => !other.test(name) && !name.endsWith(".safetensors"));
  const names = ["./", "icon.svg", "files.json", "manifest.webmanifest", ...needed, ...weights()];
  serviceWorker.controller.postMessage(names.map((name) => new URL(name, page).href));
}

export function choosePlace(place: Place): void {
  localStorage.setItem("fewstep-place", place);
  void runIn(place);
}
