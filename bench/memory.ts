/** What a process takes, by /proc: Linux alone tells so. */
import { readFileSync } from "node:fs";

const KIB = 1024;

/** Bytes in memory. `private`: without what it shares with others, such as Node's own code. */
export function memoryOf(pid: number): { resident: number; private: number } {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const of = (field: string) =>
    Number(new RegExp(`^${field}: +(\\d+) kB`, "m").exec(rollup)?.[1] ?? Number.NaN) * KIB;
  return { resident: of("Rss"), private: of("Private_Clean") + of("Private_Dirty") };
}

/** Milliseconds on a processor so far. */
export function processorMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  // Fields 14 and 15 of proc(5), in ticks of which Linux has 100 a second.
  return (Number(fields[11]) + Number(fields[12])) * 10;
}
