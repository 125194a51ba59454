/** Starts the page. */
import { createRoot } from "react-dom/client";
import { App } from "./app.tsx";
import { applyTheme, startEngine } from "./state/app.ts";
import { loadGallery } from "./state/gallery.ts";
import "./style.css";

/** Threads need a page of its own, which a worker of the page can see to where its server does not. */
async function isolate(): Promise<void> {
  if (import.meta.env.DEV || !("serviceWorker" in navigator)) return;
  await navigator.serviceWorker.register("./service-worker.js").catch(() => undefined);
  if (crossOriginIsolated || sessionStorage.getItem("fewstep-isolated")) return;
  await navigator.serviceWorker.ready;
  sessionStorage.setItem("fewstep-isolated", "tried");
  location.reload();
}

applyTheme();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", applyTheme);
createRoot(document.getElementById("root")!).render(<App />);
void isolate();
void startEngine();
void loadGallery();
