/** Starts the page. */
import { createRoot } from "react-dom/client";
import { App } from "./app.tsx";
import { applyTheme, startEngine } from "./state/app.ts";
import { loadGallery } from "./state/gallery.ts";
import "./style.css";

/**
 * Threads need an isolated page, which a worker of the page can see to where its server does not; it also keeps the page
 * for when there is no network, if it sees what the model loads.
 */
async function isolate(): Promise<void> {
  const { serviceWorker } = navigator;
  if (import.meta.env.DEV || !serviceWorker) return;
  const controlled = new Promise((resolve) => {
    if (serviceWorker.controller) resolve(undefined);
    serviceWorker.addEventListener("controllerchange", resolve, { once: true });
  });
  await serviceWorker.register("./service-worker.js");
  await serviceWorker.ready;
  await controlled;
  if (late || crossOriginIsolated || sessionStorage.getItem("fewstep-isolated")) return;
  sessionStorage.setItem("fewstep-isolated", "tried");
  location.reload();
  await new Promise(() => {});
}

/** A page that has waited long enough begins, and stays. */
const PATIENCE_MS = 15_000;
let late = false;
const patience = new Promise((resolve) => setTimeout(resolve, PATIENCE_MS)).then(() => {
  late = true;
});

applyTheme();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", applyTheme);
createRoot(document.getElementById("root")!).render(<App />);
void Promise.race([isolate().catch(() => {}), patience]).then(startEngine);
void loadGallery();
