/** The metrics by prom-client, in a registry of this broker's own. Counters are plain numbers until they are asked for. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { COUNTERS, type CounterName, GAUGES, type Gauges, type Metrics } from "../metrics.ts";

const PREFIX = "claudemesh_";
const SECONDS = [0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1];
const RECORDS = [1, 2, 5, 10, 20, 30, 40, 50];

export function createPrometheus(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });

  const counts = new Map<CounterName, Map<string, number>>();
  for (const name of Object.keys(COUNTERS) as CounterName[]) counts.set(name, countersOf(name, registers));

  let look: (() => Gauges) | null = null;
  for (const name of Object.keys(GAUGES) as (keyof Gauges)[]) {
    new Gauge({
      name: PREFIX + name,
      help: GAUGES[name],
      registers,
      collect() {
        this.set(look?.()[name] ?? 0);
      },
    });
  }

  const seconds = new Histogram({
    name: `${PREFIX}commit_seconds`,
    help: "How long commits took.",
    buckets: SECONDS,
    registers,
  });
  const records = new Histogram({
    name: `${PREFIX}commit_records`,
    help: "How many records shared a commit.",
    buckets: RECORDS,
    registers,
  });

  return {
    count(name, amount = 1, kind = "") {
      const kinds = counts.get(name);
      kinds?.set(kind, (kinds.get(kind) ?? 0) + amount);
    },
    committed(many, took) {
      seconds.observe(took);
      records.observe(many);
    },
    watch(at) {
      look = at;
    },
    text: async () => ({ type: registry.contentType, body: await registry.metrics() }),
  };
}

/** The numbers that the counter shows when it is asked, by kind. */
function countersOf(name: CounterName, registers: Registry[]): Map<string, number> {
  const counter = COUNTERS[name];
  const by = "by" in counter ? counter.by : null;
  const kinds = new Map<string, number>(by ? [] : [["", 0]]);
  new Counter({
    name: `${PREFIX}${name}_total`,
    help: counter.help,
    labelNames: by ? [by] : [],
    registers,
    collect() {
      this.reset();
      for (const [kind, value] of kinds) this.inc(by ? { [by]: kind } : {}, value);
    },
  });
  return kinds;
}
