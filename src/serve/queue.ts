/** A bounded queue that serves clients in turns, however much one of them asks for. Knows nothing of what waits. */

export interface FairQueue<T> {
  readonly size: number;
  /** Puts `item` at the end of its client's line. Gives false when the queue, or the client's half of it, is full. */
  add(client: string, item: T): boolean;
  /** The first item of the client whose turn it is. */
  take(): T | undefined;
  /** The first item, in order of service, that `fits`; its client has had its turn. */
  takeWhere(fits: (item: T) => boolean): T | undefined;
  /** Takes `item` out wherever it waits. */
  remove(item: T): boolean;
  /** Everything that waits, in the order in which it would be taken. */
  order(): T[];
}

export function fairQueue<T>(capacity: number): FairQueue<T> {
  // Clients in the order of their turns; those that wait for nothing are not in it.
  const lines = new Map<string, T[]>();
  const half = Math.ceil(capacity / 2);
  const size = () => [...lines.values()].reduce((n, line) => n + line.length, 0);

  function removeAt(client: string, line: T[], at: number): T {
    const [item] = line.splice(at, 1);
    if (line.length === 0) lines.delete(client);
    return item;
  }

  /** To the end of the turns. */
  function served(client: string): void {
    const line = lines.get(client);
    if (!line) return;
    lines.delete(client);
    lines.set(client, line);
  }

  function order(): T[] {
    const all = [...lines.values()];
    const longest = Math.max(0, ...all.map((line) => line.length));
    return Array.from({ length: longest }, (_, turn) => all.flatMap((line) => line.slice(turn, turn + 1))).flat();
  }

  return {
    get size() {
      return size();
    },
    add(client, item) {
      const line = lines.get(client) ?? [];
      if (size() >= capacity || line.length >= half) return false;
      lines.set(client, [...line, item]);
      return true;
    },
    take() {
      return this.takeWhere(() => true);
    },
    takeWhere(fits) {
      const item = order().find(fits);
      if (item === undefined) return undefined;
      const [client, line] = [...lines].find(([, line]) => line.includes(item))!;
      removeAt(client, line, line.indexOf(item));
      served(client);
      return item;
    },
    remove(item) {
      const found = [...lines].find(([, line]) => line.includes(item));
      if (found) removeAt(...found, found[1].indexOf(item));
      return found !== undefined;
    },
    order,
  };
}
