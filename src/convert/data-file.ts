/**
 * Writes the data files of an .onnx file tensor by tensor, so that a model of any size needs the memory of one tensor.
 * Where it stands can be noted and taken up again after the process was killed.
 */
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import type { NdArray } from "../base/index.ts";
import type { ExternalData } from "../onnx/index.ts";

/** A multiple of the page size, so that files can be mapped. */
const ALIGN = 4096;

/** Everything needed to go on. */
export interface DataState {
  /** Files before the current one. */
  file: number;
  /** Bytes of the current file that count. */
  length: number;
  places: Record<string, ExternalData>;
}

export const emptyState = (): DataState => ({ file: 0, length: 0, places: {} });

export interface DataFile {
  /** Writes one tensor, given in pieces. */
  add(name: string, pieces: Iterable<NdArray> | AsyncIterable<NdArray>): Promise<void>;
  /** Flushes to disk and says where it stands. */
  sync(): Promise<DataState>;
  close(): Promise<void>;
}

export const dataName = (stem: string, file: number): string => `${stem}.onnx_data${file ? `_${file}` : ""}`;

/** `stem` in `folder`; a file that would grow beyond `limit` bytes is followed by another. */
export async function openDataFile(
  folder: string,
  stem: string,
  from: DataState = emptyState(),
  limit = 2 ** 31 - 2 ** 20,
): Promise<DataFile> {
  const state: DataState = { ...from, places: { ...from.places } };
  const openCurrent = async (): Promise<FileHandle> => {
    const path = join(folder, dataName(stem, state.file));
    const file = await open(path, state.length ? "r+" : "w");
    await file.truncate(state.length);
    return file;
  };
  let file = await openCurrent();
  return {
    async add(name, pieces) {
      let offset = Math.ceil(state.length / ALIGN) * ALIGN;
      let at = offset;
      for await (const { data } of pieces) {
        if (at === offset && offset > 0 && offset + data.byteLength > limit) {
          await file.sync();
          await file.close();
          state.file++;
          state.length = offset = at = 0;
          file = await openCurrent();
        }
        const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
        for (let done = 0; done < bytes.length; ) {
          const { bytesWritten } = await file.write(bytes, done, Math.min(bytes.length - done, 1 << 28), at + done);
          done += bytesWritten;
        }
        at += bytes.length;
      }
      state.places[name] = { location: dataName(stem, state.file), offset, length: at - offset };
      state.length = at;
    },
    async sync() {
      await file.sync();
      return { ...state, places: { ...state.places } };
    },
    close: () => file.close(),
  };
}
