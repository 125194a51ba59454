/** Takes a picture: dropped, chosen, or the newest of the gallery. */
import { useEffect, useMemo, useRef } from "react";
import { bytesOf } from "../state/files.ts";
import { gallery } from "../state/gallery.ts";
import { Icon } from "./icon.tsx";

/** The address of bytes, as long as the component lives. */
export function useUrl(content: Uint8Array<ArrayBuffer> | Blob | undefined): string | undefined {
  const url = useMemo(() => {
    if (!content) return undefined;
    return URL.createObjectURL(content instanceof Blob ? content : new Blob([content]));
  }, [content]);
  useEffect(() => () => void (url && URL.revokeObjectURL(url)), [url]);
  return url;
}

export function PictureInput({
  picture,
  onChange,
  preview = true,
}: {
  picture?: Uint8Array<ArrayBuffer>;
  onChange: (picture: Uint8Array<ArrayBuffer>) => void;
  preview?: boolean;
}) {
  const file = useRef<HTMLInputElement>(null);
  const url = useUrl(picture);
  const { pictures } = gallery.use();
  return (
    <div className="space-y-2">
      {preview && url && (
        <img
          src={url}
          alt="What is looked at"
          className="pixels w-full rounded-xl border border-line bg-well object-contain"
        />
      )}
      {preview && !url && (
        <div className="grid aspect-[2/1] place-items-center rounded-xl border border-dashed border-line bg-page">
          <p className="hint">Drop a picture, or choose one</p>
        </div>
      )}
      <div className="flex gap-2">
        <button type="button" className="button grow" onClick={() => file.current?.click()}>
          <Icon name="upload" /> Choose a file
        </button>
        <button
          type="button"
          className="button grow"
          disabled={pictures.length === 0}
          onClick={async () => onChange(await bytesOf(pictures[0].png))}
        >
          Last drawing
        </button>
      </div>
      <input
        ref={file}
        type="file"
        accept="image/*"
        className="sr-only"
        tabIndex={-1}
        aria-label="Picture file"
        onChange={async (event) => {
          const [chosen] = event.target.files ?? [];
          event.target.value = "";
          if (chosen) onChange(await bytesOf(chosen));
        }}
      />
    </div>
  );
}
