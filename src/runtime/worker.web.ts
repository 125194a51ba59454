/** The thread of a worker host in a page. */
import { answer } from "./answers.ts";
import { buffersOf, packError, type Reply, type Request } from "./messages.ts";

/** What a page's worker has of its global scope; the types of pages and of Node do not go together. */
const scope = globalThis as unknown as {
  postMessage(reply: Reply, transfer: ArrayBuffer[]): void;
  onmessage: ((event: { data: Request }) => void) | null;
};

const post = (reply: Reply): void =>
  scope.postMessage(reply, "answer" in reply && reply.answer.kind === "ran" ? buffersOf(reply.answer.arrays) : []);

scope.onmessage = ({ data }) => {
  answer(data).then(
    (answer) => post({ answer }),
    (error) => post({ error: packError(error) }),
  );
};
