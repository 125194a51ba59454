/** The settings as a program, to copy. */
import { useRef, useState } from "react";
import { codeFor, LANGUAGES, type Language } from "../code.ts";
import { settings, toast, useModels } from "../state/app.ts";
import { Segments } from "./fields.tsx";
import { Icon, IconButton } from "./icon.tsx";

export function CodeButton() {
  const dialog = useRef<HTMLDialogElement>(null);
  const [language, setLanguage] = useState<Language>("Node");
  const code = codeFor(language, { ...settings.use(), ...useModels("generate").how });
  async function copy() {
    await navigator.clipboard.writeText(code).catch(() => {});
    toast("Copied");
    dialog.current?.close();
  }
  return (
    <>
      <button type="button" className="button" onClick={() => dialog.current?.showModal()}>
        <Icon name="code" /> Copy as code
      </button>
      <dialog
        ref={dialog}
        aria-label="Copy as code"
        className="m-auto w-[min(40rem,calc(100vw-2rem))] rounded-2xl border border-line bg-panel p-5 text-ink backdrop:bg-black/40"
      >
        <div className="mb-3 flex items-center justify-between gap-2">
          <Segments label="Language" value={language} options={LANGUAGES} onChange={setLanguage} />
          <IconButton icon="close" label="Close" onClick={() => dialog.current?.close()} />
        </div>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keys. */}
        <pre tabIndex={0} className="overflow-x-auto rounded-xl bg-well p-4 text-sm leading-relaxed">
          <code>{code}</code>
        </pre>
        <button type="button" className="button primary mt-4" onClick={copy}>
          <Icon name="copy" /> Copy
        </button>
      </dialog>
    </>
  );
}
