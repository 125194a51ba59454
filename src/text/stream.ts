/** Text as it grows: tokens come in handfuls, and a character may be spread over several of them. */
import type { Tokenizer } from "./tokenizer.ts";

export interface Detokenizer {
  /** Text that these ids complete; bytes of an unfinished character wait for the next ids. */
  push(ids: Iterable<number>): string;
  /** What is still waiting, at the end of the text. */
  end(): string;
}

/** Joined, what `push` and `end` return is what decoding all ids at once returns. */
export function detokenizer(tokenizer: Tokenizer): Detokenizer {
  let waiting: number[] = [];
  return {
    push(ids) {
      waiting.push(...ids);
      const text = tokenizer.decode(waiting);
      if (text.endsWith("\ufffd")) return "";
      waiting = [];
      return text;
    },
    end() {
      const text = tokenizer.decode(waiting);
      waiting = [];
      return text;
    },
  };
}
