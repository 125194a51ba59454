/** Picture files that come into the page, and go out of it. */
import { readPngText } from "fewstep/image";
import type { Drawn, PictureSettings } from "../engine/types.ts";
import { restore, show, toast } from "./app.ts";
import { keep } from "./gallery.ts";

/** How a picture was drawn, if it is a PNG that says so. */
export function settingsIn(bytes: Uint8Array): PictureSettings | undefined {
  try {
    const settings = JSON.parse(readPngText(bytes).fewstep);
    const whole = typeof settings?.prompt === "string" && Number.isInteger(settings.seed);
    return whole && Number.isInteger(settings.steps) && Number.isFinite(settings.guidance) ? settings : undefined;
  } catch {
    return undefined;
  }
}

export const bytesOf = async (blob: Blob): Promise<Uint8Array<ArrayBuffer>> => new Uint8Array(await blob.arrayBuffer());

/** A picture with settings restores them; any other goes to where it can be edited. */
export async function receive(file: Blob): Promise<void> {
  const bytes = await bytesOf(file);
  const settings = settingsIn(bytes);
  if (settings) {
    restore({ ...settings, temperature: settings.temperature ?? 1, schedule: settings.schedule ?? "cosine" });
    await keep([{ png: file.slice(0, file.size, "image/png"), settings }]);
  } else if (file.type.startsWith("image/")) show("Edit", bytes);
  else toast("This file is not a picture");
}

export function download({ png, settings }: Drawn): void {
  const words = settings.prompt.toLowerCase().match(/[a-z0-9]+/g) ?? ["picture"];
  const link = document.createElement("a");
  link.href = URL.createObjectURL(png);
  link.download = `${words.join("-").slice(0, 60)}-${settings.seed}.png`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
