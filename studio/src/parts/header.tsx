/** The head of the page: views, where the model runs, light and dark. */
import { useEffect, useRef } from "react";
import { app, applyTheme, choosePlace, engine, show, theme, VIEWS } from "../state/app.ts";
import { Segments } from "./fields.tsx";
import { IconButton } from "./icon.tsx";

export function Header({ onHelp }: { onHelp: () => void }) {
  const { view } = app.use();
  const strip = useRef<HTMLDivElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the view decides which tab is current.
  useEffect(() => {
    const current = strip.current?.querySelector<HTMLElement>("[aria-current]");
    if (current && strip.current)
      strip.current.scrollLeft = current.offsetLeft - strip.current.clientWidth / 2 + current.clientWidth / 2;
  }, [view]);
  return (
    <header className="sticky top-0 z-10 border-b border-line bg-page/90 backdrop-blur">
      <div className="mx-auto flex max-w-6xl flex-wrap items-center gap-x-4 px-4 pt-2 lg:flex-nowrap lg:py-2">
        <h1 className="flex items-center gap-2 font-semibold tracking-tight">
          <img src="./icon.svg" alt="" className="size-7" /> fewstep
          <span className="font-normal text-soft">studio</span>
        </h1>
        <nav
          aria-label="Views"
          className="order-last -mx-4 w-[calc(100%+2rem)] lg:order-none lg:mx-0 lg:w-auto lg:grow"
        >
          <div ref={strip} className="relative flex gap-1 overflow-x-auto px-4 py-2 [scrollbar-width:none] lg:px-0">
            {VIEWS.map((name) => (
              <a
                key={name}
                href={`#${name.toLowerCase()}`}
                aria-current={name === view ? "page" : undefined}
                className="rounded-lg px-3 py-1.5 text-sm text-soft transition-colors hover:text-ink aria-[current]:bg-well aria-[current]:font-medium aria-[current]:text-ink"
                onClick={(event) => {
                  event.preventDefault();
                  show(name);
                }}
              >
                {name}
              </a>
            ))}
          </div>
        </nav>
        <div className="ml-auto flex items-center">
          <IconButton icon="keyboard" label="Keyboard shortcuts" onClick={onHelp} />
          <ThemeButton />
        </div>
      </div>
    </header>
  );
}

function ThemeButton() {
  theme.use();
  const dark = document.documentElement.dataset.theme === "dark";
  return (
    <IconButton
      icon={dark ? "sun" : "moon"}
      label={dark ? "Light colours" : "Dark colours"}
      onClick={() => {
        document.documentElement.dataset.theme = dark ? "light" : "dark";
        theme.set({ name: dark ? "light" : "dark" });
        applyTheme();
      }}
    />
  );
}

/** Where the model runs, and how far its loading is. */
export function Runs() {
  const { place, hasServer, loading, ready, error, kept } = engine.use();
  return (
    <div className="mx-auto flex max-w-6xl flex-wrap items-center gap-x-4 gap-y-2 px-4 pt-4 text-sm text-soft">
      {hasServer ? (
        <Segments label="Runs in" hidden={false} value={place} options={["browser", "server"]} onChange={choosePlace} />
      ) : (
        <span className="font-medium text-ink">Runs in this browser</span>
      )}
      {ready && (
        <span>
          {ready.models.map(({ id }) => id).join(", ")} on {ready.device}
          {kept && place === "browser" && "; works without a network"}
        </span>
      )}
      {loading !== undefined && !error && (
        <span className="flex items-center gap-2">
          Loading the model
          <progress
            className="h-1.5 w-32 overflow-hidden rounded-full accent-accent"
            aria-label="Loading the model"
            value={loading || undefined}
            max={1}
          />
        </span>
      )}
      {error && (
        <span role="alert" className="whitespace-pre-line text-warn">
          {error}
        </span>
      )}
    </div>
  );
}
