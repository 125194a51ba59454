/**
 * Keeps the page for when there is no network, and isolates it: any plain web server can hold the studio, and threads
 * need two headers that few of them send. Knows nothing of models.
 */
const CACHE = "fewstep-studio";

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

/** Files of the page, but not what a server answers. */
const isOurs = ({ method, url }) =>
  method === "GET" &&
  url.startsWith(self.registration.scope) &&
  !/^(api|v1|studio)\//.test(url.slice(self.registration.scope.length));

function isolated(response) {
  if (response.status === 0) return response;
  const headers = new Headers(response.headers);
  headers.set("cross-origin-opener-policy", "same-origin");
  headers.set("cross-origin-embedder-policy", "require-corp");
  headers.set("cross-origin-resource-policy", "same-origin");
  const { status, statusText } = response;
  return new Response(response.body, { status, statusText, headers });
}

/** Files with a hash in their name never change; others are asked for anew and kept for when that fails. */
async function answer(request) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(request, { ignoreSearch: true });
  if (kept && /\/assets\//.test(request.url)) return isolated(kept);
  try {
    const fresh = await fetch(request);
    if (fresh.status === 200) await cache.put(request, fresh.clone());
    return isolated(fresh);
  } catch (error) {
    if (kept) return isolated(kept);
    throw error;
  }
}

/** Keeps the files that the page names, and answers when they are kept. */
self.addEventListener("message", (event) => {
  const keep = async () => {
    const cache = await caches.open(CACHE);
    for (const url of event.data) if (isOurs({ method: "GET", url }) && !(await cache.match(url))) await cache.add(url);
    event.source.postMessage("kept");
  };
  event.waitUntil(keep().catch(() => {}));
});

self.addEventListener("fetch", (event) => {
  if (isOurs(event.request)) event.respondWith(answer(event.request));
});
