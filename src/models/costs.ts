/** What passes cost, by their tokens. */

/** Milliseconds of a pass of so many tokens. */
export type Costs = Readonly<Record<number, number>>;

/** Straight lines between measured passes; the last line goes on. */
export function betweenPoints(costs: Costs): (slots: number) => number {
  const points = Object.entries(costs)
    .map(([slots, ms]) => [Number(slots), ms] as const)
    .sort(([a], [b]) => a - b);
  return (slots) => {
    const found = points.findIndex(([at]) => at >= slots);
    const next = found < 0 ? points.length - 1 : Math.max(1, found);
    const [[left, low], [right, high]] = [points[next - 1], points[next]];
    return low + ((high - low) * (slots - left)) / (right - left);
  };
}
