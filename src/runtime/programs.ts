/** Programs of one model, each compiled when it is first asked for and ended together. */
import { Graph } from "../graph/index.ts";
import type { CompileOptions, Host, Program } from "./program.ts";

export interface Programs {
  /** The program of this name; `build` declares its graph the first time. */
  once(name: string, build: (graph: Graph) => void): Promise<Program>;
  dispose(): Promise<void>;
}

export function programsOn(host: Host, options: CompileOptions): Programs {
  const made = new Map<string, Promise<Program>>();
  return {
    once(name, build) {
      const known = made.get(name);
      if (known) return known;
      const graph = new Graph();
      build(graph);
      const program = host.compile(graph, options);
      made.set(name, program);
      return program;
    },
    async dispose() {
      for (const program of made.values()) await (await program).dispose();
      made.clear();
    },
  };
}
