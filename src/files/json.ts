/** What JSON.parse does not tell. */

/** The first key that an object of the valid JSON `text` has twice, at any depth. */
export function duplicateKey(text: string): string | undefined {
  const open: (Set<string> | undefined)[] = [];
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === "{") open.push(new Set());
    else if (c === "[") open.push(undefined);
    else if (c === "}" || c === "]") open.pop();
    else if (c === '"') {
      const start = i++;
      while (text[i] !== '"') i += text[i] === "\\" ? 2 : 1;
      let next = i + 1;
      while (" \t\r\n".includes(text[next])) next++;
      if (text[next] !== ":") continue;
      const key: string = JSON.parse(text.slice(start, i + 1));
      const keys = open.at(-1);
      if (keys?.has(key)) return key;
      keys?.add(key);
    }
  }
  return undefined;
}
