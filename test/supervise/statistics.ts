/**
 * Tests of distributions, short and exact enough: Kolmogorov-Smirnov for one sample and for two, and chi-square for independence.
 *
 * Each returns how far off the sample is and how far off chance puts it in one of `1 / significance` samples; with seeded draws an outcome never changes.
 *
 * Source: the asymptotic bound of Kolmogorov and Smirnov (conservative where values tie), and Wilson and Hilferty's cube root for chi-square.
 */

/** How far off a sample is, and how far it may be. */
export interface Deviation {
  readonly found: number;
  readonly allowed: number;
}

/** Chance finds a good sample too far off in one of ten thousand tests. */
const significance = 1e-4;
/** Upper quantile of the normal distribution for {@link significance}. */
const normalQuantile = 3.719;

/** Compares a sample with a distribution, given by its cumulative distribution function. */
export function againstDistribution(sample: readonly number[], cdf: (value: number) => number): Deviation {
  const sorted = [...sample].sort((a, b) => a - b);
  const n = sorted.length;
  let found = 0;
  for (const [i, value] of sorted.entries()) {
    found = Math.max(found, Math.abs(cdf(value) - i / n), Math.abs((i + 1) / n - cdf(value)));
  }
  return { found, allowed: kolmogorov * Math.sqrt(1 / n) };
}

/** Compares two samples with each other. */
export function againstSample(one: readonly number[], other: readonly number[]): Deviation {
  const [a, b] = [[...one].sort((x, y) => x - y), [...other].sort((x, y) => x - y)];
  let [i, j, found] = [0, 0, 0];
  while (i < a.length && j < b.length) {
    const value = Math.min(a[i] as number, b[j] as number);
    while (i < a.length && (a[i] as number) <= value) i++;
    while (j < b.length && (b[j] as number) <= value) j++;
    found = Math.max(found, Math.abs(i / a.length - j / b.length));
  }
  return { found, allowed: kolmogorov * Math.sqrt((a.length + b.length) / (a.length * b.length)) };
}

/** Looks for any dependence between the parts of pairs that are uniform in [0, 1). */
export function ofIndependence(pairs: ReadonlyArray<readonly [number, number]>, cells = 8): Deviation {
  const counts = Array.from({ length: cells * cells }, () => 0);
  const cellOf = (u: number): number => Math.min(cells - 1, Math.max(0, Math.floor(u * cells)));
  for (const [a, b] of pairs) {
    const cell = cellOf(a) * cells + cellOf(b);
    counts[cell] = (counts[cell] as number) + 1;
  }
  const expected = pairs.length / counts.length;
  const found = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
  const freedom = counts.length - 1;
  const allowed = freedom * (1 - 2 / (9 * freedom) + normalQuantile * Math.sqrt(2 / (9 * freedom))) ** 3;
  return { found, allowed };
}

const kolmogorov = Math.sqrt(-Math.log(significance / 2) / 2);
