/** What each bench answers, and how it is worked out. */

/** `floor` is measured in the same run, interleaved: machines are noisy, ratios less so. Times in ms. */
export type Figure = { name: string; measured: number[]; floor: number[]; floorName: string; target: string };

export type Bench = { name: string; run(): Promise<Figure> };

export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export async function timed(work: () => Promise<unknown> | unknown): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}
