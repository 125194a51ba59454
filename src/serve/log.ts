/** One JSON object a line for each thing that happened. Prompts and pictures are never in it. */

export interface LogEntry {
  level: "info" | "warn" | "error";
  event: string;
  [key: string]: string | number | undefined;
}

export type Log = (entry: LogEntry) => void;

export const jsonLines =
  (write: (line: string) => void): Log =>
  (entry) =>
    write(`${JSON.stringify({ time: new Date().toISOString(), ...entry })}\n`);
