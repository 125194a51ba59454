/** A frozen model in the graph of the one that learns: its weights stand under a name of their own. */
import type { Graph } from "../graph/index.ts";
import type { Arrays } from "../runtime/index.ts";

const SCOPE = "teacher";

/** Builds a part of the graph with the teacher's weights. */
export const asTeacher = <T>(graph: Graph, build: () => T): T => graph.scope(SCOPE, build);

export const isTeachers = (name: string): boolean => name.startsWith(`${SCOPE}.`);

/** Starting values of both: those that learn, and the teacher's. */
export const withTeacher = (learning: Arrays, teacher: Arrays): Arrays => ({
  ...learning,
  ...Object.fromEntries(Object.entries(teacher).map(([name, value]) => [`${SCOPE}.${name}`, value])),
});
