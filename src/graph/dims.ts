/** Arithmetic of sizes: numbers, names, and the sums and products that concatenation and reshaping make of them. */
import type { Dim, Shape } from "./graph.ts";

export const isNumber = (d: Dim): d is number => typeof d === "number";

/** Name and trailing number of a size: "text-1" is ["text", -1]. */
function nameAndNumber(d: Dim): [name: string, number: number] {
  if (isNumber(d)) return ["", d];
  const number = /[+-]\d+$/.exec(d);
  return number ? [d.slice(0, number.index), Number(number[0])] : [d, 0];
}

/** Size of two sizes that follow each other: names in order, the number last ("past+text+1"). */
export function addDims(a: Dim, b: Dim): Dim {
  const [[nameA, m], [nameB, n]] = [nameAndNumber(a), nameAndNumber(b)];
  const name = [nameA, nameB].filter((part) => part).join("+");
  const number = m + n;
  if (!name) return number;
  return number === 0 ? name : `${name}${number > 0 ? "+" : ""}${number}`;
}

/** Parts of a size between the `marks` that stand outside parentheses. */
function splitAt(size: string, marks: string): string[] {
  const parts = [""];
  let depth = 0;
  for (const c of size) {
    if (c === "(") depth++;
    if (c === ")") depth--;
    if (depth === 0 && marks.includes(c)) parts.push("");
    else parts[parts.length - 1] += c;
  }
  return parts;
}

/** The numbers of a product multiplied, and its names. A sum counts as one name. */
function factors(shape: Shape): [number: number, names: string[]] {
  let number = 1;
  const names: string[] = [];
  for (const d of shape) {
    if (isNumber(d)) number *= d;
    else if (splitAt(d, "+-").length > 1) names.push(d);
    else
      for (const part of splitAt(d, "*"))
        if (/^\d+$/.test(part)) number *= Number(part);
        else names.push(part.replace(/^\((.*)\)$/, "$1"));
  }
  return [number, names];
}

/** Number of elements of `whole` per element of `part`; undefined when it does not divide. */
export function divideSizes(whole: Shape, part: Shape): Dim | undefined {
  const [m, names] = factors(whole);
  const [n, cancel] = factors(part);
  for (const name of cancel) {
    const at = names.indexOf(name);
    if (at < 0) return undefined;
    names.splice(at, 1);
  }
  if (n === 0 ? m !== 0 : m % n !== 0) return undefined;
  const number = n === 0 ? 1 : m / n;
  if (!names.length) return number;
  if (names.length === 1 && number === 1) return names[0];
  const shown = names.map((name) => (splitAt(name, "+-").length > 1 ? `(${name})` : name));
  return [...(number === 1 ? [] : [number]), ...shown].join("*");
}
