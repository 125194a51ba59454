/** A value that components watch. */
import { useSyncExternalStore } from "react";

export interface Store<T> {
  get(): T;
  set(change: Partial<T> | ((now: T) => Partial<T>)): void;
  /** The value, in a component that is drawn anew when it changes. */
  use(): T;
}

export function createStore<T extends object>(initial: T, onChange?: (now: T) => void): Store<T> {
  let now = initial;
  const watchers = new Set<() => void>();
  const watch = (watcher: () => void) => {
    watchers.add(watcher);
    return () => watchers.delete(watcher);
  };
  const get = () => now;
  return {
    get,
    set(change) {
      now = { ...now, ...(typeof change === "function" ? change(now) : change) };
      onChange?.(now);
      for (const tell of watchers) tell();
    },
    use: () => useSyncExternalStore(watch, get),
  };
}

/** A store that the browser remembers. Stored values that do not fit are left out. */
export function keptStore<T extends object>(key: string, initial: T): Store<T> {
  return createStore({ ...initial, ...recalled(key, initial) }, (now) => {
    try {
      localStorage.setItem(key, JSON.stringify(now));
    } catch {
      // Private windows may refuse; the page works without.
    }
  });
}

function recalled<T extends object>(key: string, initial: T): Partial<T> {
  try {
    const stored: object = JSON.parse(localStorage.getItem(key) ?? "{}");
    return Object.fromEntries(
      Object.entries(stored).filter(([name, value]) => typeof value === typeof initial[name as keyof T]),
    ) as Partial<T>;
  } catch {
    return {};
  }
}
