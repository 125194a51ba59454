/** The page: its head, the view that is shown, and what comes in by drop, paste and keys. */
import { lazy, Suspense, useEffect, useRef, useState } from "react";
import { Header, Runs } from "./parts/header.tsx";
import { Help } from "./parts/help.tsx";
import { app, show, VIEWS } from "./state/app.ts";
import { useDrawing } from "./state/drawing.ts";
import { receive } from "./state/files.ts";
import { Compare } from "./views/compare.tsx";
import { Describe } from "./views/describe.tsx";
import { Draw } from "./views/draw.tsx";
import { Edit } from "./views/edit.tsx";
import { Gallery } from "./views/gallery.tsx";

const Training = lazy(async () => ({ default: (await import("./views/training.tsx")).Training }));
const Results = lazy(async () => ({ default: (await import("./views/results.tsx")).Results }));

export function App() {
  const { view, said, toast } = app.use();
  const help = useRef<HTMLDialogElement>(null);
  const [dropping, setDropping] = useState(false);
  // Drawings go on while another view is looked at.
  const drawing = useDrawing();
  const editing = useDrawing();

  useEffect(() => {
    const keys = (event: KeyboardEvent) => {
      const view = event.altKey && !event.ctrlKey && VIEWS[Number(event.code.replace("Digit", "")) - 1];
      if (!view) return;
      event.preventDefault();
      show(view);
    };
    const paste = (event: ClipboardEvent) => {
      const [file] = event.clipboardData?.files ?? [];
      if (file) void receive(file);
    };
    const over = (event: DragEvent) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      setDropping(true);
    };
    const leave = (event: DragEvent) => event.relatedTarget === null && setDropping(false);
    const drop = (event: DragEvent) => {
      setDropping(false);
      const [file] = event.dataTransfer?.files ?? [];
      if (!file) return;
      event.preventDefault();
      void receive(file);
    };
    const listeners = { keydown: keys, paste, dragover: over, dragleave: leave, drop };
    for (const [name, listener] of Object.entries(listeners)) addEventListener(name, listener as EventListener);
    return () => {
      for (const [name, listener] of Object.entries(listeners)) removeEventListener(name, listener as EventListener);
    };
  }, []);

  return (
    <>
      <Header onHelp={() => help.current?.showModal()} />
      <Runs />
      <main className="mx-auto max-w-6xl px-4 py-4">
        {view === "Draw" && <Draw {...drawing} />}
        {view === "Edit" && <Edit {...editing} />}
        {view === "Describe" && <Describe />}
        {view === "Compare" && <Compare />}
        {view === "Gallery" && <Gallery />}
        <Suspense>
          {view === "Training" && <Training />}
          {view === "Results" && <Results />}
        </Suspense>
      </main>
      <Help dialog={help} />
      <p aria-live="polite" className="sr-only">
        {said}
      </p>
      {toast && (
        <p className="fixed bottom-4 left-1/2 z-20 -translate-x-1/2 rounded-full bg-ink px-4 py-2 text-sm text-page shadow-lg">
          {toast}
        </p>
      )}
      {dropping && (
        <div className="pointer-events-none fixed inset-3 z-30 grid place-items-center rounded-3xl border-2 border-dashed border-accent bg-page/80">
          <p className="text-lg font-medium">Drop a picture: its settings, or the picture itself</p>
        </div>
      )}
    </>
  );
}
