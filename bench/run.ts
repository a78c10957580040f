/**
 * `npm run bench` measures everything; `npm run bench -- hop` one figure; `-- hop --times 3` three times. Prints rows for
 * docs/PERFORMANCE.md: medians of the runs, and how far apart they were.
 */
import { parseArgs } from "node:util";
import { benches } from "./all.ts";
import { type Bench, type Figure, median, percentile } from "./figure.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { times: { type: "string", default: "1" } },
});
const known = benches.map(({ name }) => name);
const unknown = positionals.find((name) => !known.includes(name));
if (unknown) throw new Error(`There is no bench "${unknown}"; there are ${known.join(", ")}.`);

console.log("| bench | figure | p50 | p99 | floor, p50 | ratio | target |");
console.log("|---|---|---|---|---|---|---|");
for (const bench of benches) {
  if (positionals.length > 0 && !positionals.includes(bench.name)) continue;
  for (const runs of await repeated(bench, Number(values.times))) console.log(row(bench, runs));
}

/** The same figure of each run together. */
async function repeated(bench: Bench, times: number): Promise<Figure[][]> {
  const runs: Figure[][] = [];
  for (let i = 0; i < times; i++) runs.push(await bench.run());
  return (runs[0] ?? []).map((_, which) => runs.flatMap((figures) => figures[which] ?? []));
}

function row(bench: Bench, runs: readonly Figure[]): string {
  const [first] = runs;
  if (!first) throw new Error("at least one run");
  const { name, unit = "ms", floorName, target } = first;
  // What is measured a few times in a run has no percentiles.
  const many = first.measured.length >= 20;
  const p50 = spread(runs.map(({ measured }) => median(measured)));
  const p99 = many ? `${spread(runs.map(({ measured }) => percentile(measured, 0.99)))} ${unit}` : "";
  const floor = spread(runs.map((run) => median(run.floor)));
  const isFromNothing = runs.every((run) => median(run.floor) === 0);
  const ratio = isFromNothing ? "" : spread(runs.map((run) => median(run.measured) / median(run.floor)));
  return `| ${bench.name} | ${name} | ${p50} ${unit} | ${p99} | ${floorName}: ${floor} ${unit} | ${ratio} | ${target} |`;
}

function spread(values: readonly number[]): string {
  const shown = short(median(values));
  const [least, most] = [short(Math.min(...values)), short(Math.max(...values))];
  return least === most ? shown : `${shown} (${least} to ${most})`;
}

function short(value: number): string {
  if (value >= 1000) return Math.round(value).toLocaleString("en-US");
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
