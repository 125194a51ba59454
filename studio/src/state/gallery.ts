/** Pictures that the browser keeps, in IndexedDB. */
import type { Drawn, PictureSettings } from "../engine/types.ts";
import { createStore } from "./store.ts";

export interface Kept {
  readonly id: number;
  readonly png: Blob;
  readonly settings: PictureSettings;
}

const MOST = 200;
export const gallery = createStore({ pictures: [] as readonly Kept[], loaded: false });

let opening: Promise<IDBDatabase | undefined> | undefined;

/** Nothing where the browser refuses, as in some private windows: pictures are then kept as long as the page. */
function database(): Promise<IDBDatabase | undefined> {
  opening ??= new Promise((resolve) => {
    try {
      const request = indexedDB.open("fewstep", 1);
      request.onupgradeneeded = () => request.result.createObjectStore("pictures", { keyPath: "id" });
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => resolve(undefined);
    } catch {
      resolve(undefined);
    }
  });
  return opening;
}

async function inStore<T>(work: (store: IDBObjectStore) => IDBRequest<T>): Promise<T | undefined> {
  const db = await database();
  if (!db) return undefined;
  return new Promise((resolve) => {
    const request = work(db.transaction("pictures", "readwrite").objectStore("pictures"));
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => resolve(undefined);
  });
}

export async function loadGallery(): Promise<void> {
  const stored: Kept[] = (await inStore((store) => store.getAll())) ?? [];
  const known = gallery.get().pictures;
  gallery.set({
    pictures: [...known, ...stored.reverse().filter(({ id }) => !known.some((k) => k.id === id))],
    loaded: true,
  });
}

let last = 0;

export async function keep(images: readonly Drawn[]): Promise<void> {
  const fresh = images.map((image) => {
    last = Math.max(Date.now(), last + 1);
    return { id: last, ...image };
  });
  const all = [...fresh.toReversed(), ...gallery.get().pictures];
  gallery.set({ pictures: all.slice(0, MOST) });
  for (const picture of fresh) await inStore((store) => store.put(picture));
  for (const { id } of all.slice(MOST)) await inStore((store) => store.delete(id));
}

export async function forget(id: number): Promise<void> {
  gallery.set(({ pictures }) => ({ pictures: pictures.filter((picture) => picture.id !== id) }));
  await inStore((store) => store.delete(id));
}

export async function forgetAll(): Promise<void> {
  gallery.set({ pictures: [] });
  await inStore((store) => store.clear());
}
