/** Every bench, in the order of docs/PERFORMANCE.md. */
import { adapter } from "./adapter.ts";
import { brokerThroughput } from "./broker-throughput.ts";
import { catchUp } from "./catch-up.ts";
import { connections } from "./connections.ts";
import { context } from "./context.ts";
import { daemonCatchUp } from "./daemon-catch-up.ts";
import { fanOut } from "./fan-out.ts";
import type { Bench } from "./figure.ts";
import { hooks } from "./hooks.ts";
import { hop } from "./hop.ts";
import { idle } from "./idle.ts";
import { join } from "./join.ts";
import { login } from "./login.ts";
import { reconnect } from "./reconnect.ts";
import { search } from "./search.ts";
import { socket } from "./socket.ts";
import { throughput } from "./throughput.ts";
import { transcript } from "./transcript.ts";
import { verb } from "./verb.ts";

export const benches: readonly Bench[] = [
  verb,
  socket,
  hop,
  throughput,
  brokerThroughput,
  fanOut,
  connections,
  daemonCatchUp,
  catchUp,
  adapter,
  hooks,
  context,
  idle,
  search,
  transcript,
  reconnect,
  login,
  join,
];
