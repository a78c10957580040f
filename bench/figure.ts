/** What each bench answers, and how it is worked out. */

export type Unit = "ms" | "/s" | "KiB" | "MB" | "tokens" | "% of a core";

/** `floor` is measured in the same run, interleaved where that makes sense: machines are noisy, ratios less so. */
export type Figure = {
  name: string;
  /** ms unless said otherwise. */
  unit?: Unit;
  measured: number[];
  floor: number[];
  floorName: string;
  target: string;
};

export type Bench = { name: string; run(): Promise<Figure[]> };

export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export const median = (values: readonly number[]): number => percentile(values, 0.5);

export async function timed(work: () => Promise<unknown> | unknown): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** How many a second, when so many took as long as `work`. */
export async function rateOf(count: number, work: () => Promise<unknown> | unknown): Promise<number> {
  return (count / (await timed(work))) * 1000;
}

/** Looks often until it holds. @throws Error when it still doesn't after `limitMs` */
export async function until(
  holds: () => boolean | Promise<boolean>,
  what: string,
  limitMs = 60_000,
): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`waited ${limitMs} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
