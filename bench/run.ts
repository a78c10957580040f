/** `npm run bench` measures everything; `npm run bench -- hop` one figure. */

import { catchUp } from "./catch-up.ts";
import { type Bench, percentile } from "./figure.ts";
import { hop } from "./hop.ts";
import { reconnect } from "./reconnect.ts";
import { search } from "./search.ts";
import { socket } from "./socket.ts";
import { verb } from "./verb.ts";

const benches: readonly Bench[] = [verb, socket, hop, search, catchUp, reconnect];
const wanted = process.argv.slice(2);

for (const bench of benches) {
  if (wanted.length > 0 && !wanted.includes(bench.name)) continue;
  const { name, measured, floor, floorName, target } = await bench.run();
  const ms = (values: readonly number[], share: number) => percentile(values, share).toFixed(3);
  const ratio = percentile(measured, 0.5) / percentile(floor, 0.5);
  console.log(`${name}: p50 ${ms(measured, 0.5)} ms, p99 ${ms(measured, 0.99)} ms (target ${target})`);
  console.log(
    `  floor, ${floorName}: p50 ${ms(floor, 0.5)} ms, p99 ${ms(floor, 0.99)} ms; ratio ${ratio.toFixed(2)}`,
  );
}
