// A route handler: in Next.js save it as app/v1/[...path]/route.js, and /v1/images/generations is there for pages and
// OpenAI's clients. Anything that speaks Request and Response takes it the same way (Hono, Remix, SvelteKit).
import { createService } from "fewstep/serve";

// The model is loaded by the first request, in a process of its own.
const service = createService({
  models: [process.env.FEWSTEP_MODEL ?? "turbo-mini"],
  keys: process.env.FEWSTEP_API_KEY ? [process.env.FEWSTEP_API_KEY] : [],
  limits: { steps: 32, seconds: 60 },
});

export const runtime = "nodejs";
export const GET = (request) => service.fetch(request);
export const POST = GET;
export const OPTIONS = GET;
// For programs that end; Next.js has no such moment.
export const close = () => service.close();
