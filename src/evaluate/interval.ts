/** Shares with their uncertainty. */

export interface Share {
  right: number;
  of: number;
  /** right / of; 0 when nothing was asked. */
  share: number;
  /** 95 % Wilson score interval (Wilson, 1927). */
  ci95: [low: number, high: number];
}

const Z = 1.959963984540054;

export const shareOf = (right: number, of: number): Share => ({
  right,
  of,
  share: of === 0 ? 0 : right / of,
  ci95: of === 0 ? [0, 1] : wilson(right / of, of),
});

function wilson(p: number, of: number): [low: number, high: number] {
  const scale = 1 + (Z * Z) / of;
  const centre = (p + (Z * Z) / (2 * of)) / scale;
  const half = (Z * Math.sqrt((p * (1 - p)) / of + (Z * Z) / (4 * of * of))) / scale;
  return [Math.max(0, centre - half), Math.min(1, centre + half)];
}

/**
 * A share of trials that come in groups which succeed or fail together, as pictures of one prompt do: Wilson's interval
 * for the effective number of trials, which is their number over the design effect (Kish, 1965; at least 1).
 */
export function clusteredShare(groups: readonly { right: number; of: number }[]): Share {
  const total = (name: "right" | "of") => groups.reduce((n, group) => n + group[name], 0);
  const plain = shareOf(total("right"), total("of"));
  const { share: p, of } = plain;
  if (p === 0 || p === 1 || groups.length < 2) return plain;
  const spread = groups.reduce((sum, group) => sum + (group.right - p * group.of) ** 2, 0);
  const variance = (spread / of ** 2) * (groups.length / (groups.length - 1));
  const effect = Math.max(1, variance / ((p * (1 - p)) / of));
  return { ...plain, ci95: wilson(p, of / effect) };
}

/** The mean of independent shares. Its interval joins theirs (Zou and Donner, Statistics in Medicine 2008). */
export function meanOfShares(shares: readonly Share[]): { average: number; ci95: [low: number, high: number] } {
  const n = Math.max(1, shares.length);
  const average = shares.reduce((sum, { share }) => sum + share, 0) / n;
  const reach = (side: 0 | 1) =>
    Math.sqrt(shares.reduce((sum, { share, ci95 }) => sum + (share - ci95[side]) ** 2, 0)) / n;
  return { average, ci95: [Math.max(0, average - reach(0)), Math.min(1, average + reach(1))] };
}

/** Counts right answers under names. */
export class Tally<Name extends string> {
  private readonly counts = new Map<Name, { right: number; of: number }>();

  add(name: Name, right: boolean): void {
    const count = this.counts.get(name) ?? { right: 0, of: 0 };
    this.counts.set(name, { right: count.right + Number(right), of: count.of + 1 });
  }

  share(...names: Name[]): Share {
    const parts = names.map((name) => this.counts.get(name) ?? { right: 0, of: 0 });
    const total = (of: "right" | "of") => parts.reduce((n, part) => n + part[of], 0);
    return shareOf(total("right"), total("of"));
  }
}
