/** Long loops that let others have the event loop. */

/** To be called within a long loop: gives a promise to wait for whenever `ms` have passed since the last one. */
export function breather(ms = 15): () => Promise<void> | undefined {
  let due = performance.now() + ms;
  return () => {
    if (performance.now() < due) return undefined;
    return new Promise<void>((resolve) => setTimeout(resolve)).then(() => {
      due = performance.now() + ms;
    });
  };
}
