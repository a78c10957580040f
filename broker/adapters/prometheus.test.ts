import { expect, test } from "vitest";
import { createPrometheus } from "./prometheus.ts";

async function text(metrics: ReturnType<typeof createPrometheus>): Promise<string[]> {
  return ((await metrics.text())?.body ?? "").split("\n");
}

test("what was counted is told, by kind where there are kinds", async () => {
  const metrics = createPrometheus();
  metrics.count("committed_records", 3);
  metrics.count("committed_records");
  metrics.count("hellos", 1, "member");
  metrics.count("hellos", 2, "busy");
  expect(await text(metrics)).toEqual(
    expect.arrayContaining([
      "claudemesh_committed_records_total 4",
      'claudemesh_hellos_total{outcome="member"} 1',
      'claudemesh_hellos_total{outcome="busy"} 2',
      "claudemesh_pushed_records_total 0",
    ]),
  );
  metrics.count("committed_records");
  expect(await text(metrics)).toContain("claudemesh_committed_records_total 5");
});

test("gauges are looked at when somebody asks", async () => {
  const metrics = createPrometheus();
  let connections = 1;
  const rest = { lagging_connections: 0, open_workspaces: 0, waiting_records: 0 };
  metrics.watch(() => ({ connections, ...rest }));
  expect(await text(metrics)).toContain("claudemesh_connections 1");
  connections = 7;
  expect(await text(metrics)).toContain("claudemesh_connections 7");
});

test("commits are told by how long they took and how many records shared them", async () => {
  const metrics = createPrometheus();
  metrics.committed(12, 0.003);
  metrics.committed(1, 2);
  expect(await text(metrics)).toEqual(
    expect.arrayContaining([
      'claudemesh_commit_seconds_bucket{le="0.002"} 0',
      'claudemesh_commit_seconds_bucket{le="0.004"} 1',
      'claudemesh_commit_seconds_bucket{le="+Inf"} 2',
      'claudemesh_commit_records_bucket{le="10"} 1',
      "claudemesh_commit_records_sum 13",
    ]),
  );
});

test("the process is told of too, and each broker has its own numbers", async () => {
  const [one, other] = [createPrometheus(), createPrometheus()];
  one.count("committed_records");
  const lines = await text(other);
  expect(lines).toContain("claudemesh_committed_records_total 0");
  for (const name of ["nodejs_eventloop_lag_p99_seconds", "process_resident_memory_bytes"]) {
    expect(lines.some((line) => line.startsWith(name))).toBe(true);
  }
});
