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

export function shareOf(right: number, of: number): Share {
  if (of === 0) return { right, of, share: 0, ci95: [0, 1] };
  const p = right / of;
  const scale = 1 + (Z * Z) / of;
  const centre = (p + (Z * Z) / (2 * of)) / scale;
  const half = (Z * Math.sqrt((p * (1 - p)) / of + (Z * Z) / (4 * of * of))) / scale;
  return { right, of, share: p, ci95: [Math.max(0, centre - half), Math.min(1, centre + half)] };
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
