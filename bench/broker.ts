/** A broker as a process of its own, for benches that fill its store themselves. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { launcherPath } from "#adapters/start-daemon.ts";
import { openSqliteStore } from "#broker/adapters/sqlite-store.ts";
import type { Store } from "#broker/store/store.ts";

export type BenchBroker = {
  url: string;
  pid(): number;
  /** Ends it without a word and starts it again on the same port; resolves when it listens. */
  restart(): Promise<void>;
};

/** `fill` puts into the store what is there before the broker begins. */
export async function withBroker<T, F>(
  fill: (store: Pick<Store, "commit">) => Promise<F>,
  work: (broker: BenchBroker, filled: F) => Promise<T>,
): Promise<T> {
  const data = mkdtempSync(join(tmpdir(), "bench-"));
  let child: ChildProcess | null = null;
  let port = 0;

  const start = async () => {
    const args = ["broker", "--json", "--port", String(port), "--data", data];
    child = spawn(launcherPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    const [line] = await once(createInterface({ input: child.stdout ?? process.stdin }), "line");
    port = JSON.parse(String(line)).port;
  };
  const kill = async () => {
    if (!child) return;
    const gone = once(child, "exit");
    child.kill("SIGKILL");
    await gone;
  };

  try {
    const store = openSqliteStore(join(data, "broker.db"));
    const filled = await fill(recent(store));
    await store.close();
    await start();
    const broker = {
      url: `http://127.0.0.1:${port}`,
      pid: () => child?.pid ?? 0,
      async restart() {
        await kill();
        await start();
      },
    };
    return await work(broker, filled);
  } finally {
    await kill();
    rmSync(data, { recursive: true, force: true });
  }
}

/** Fixtures are from another year, and the broker's retention would take them away. */
function recent({ commit }: Store): Pick<Store, "commit"> {
  const at = Date.now();
  return {
    commit: ({ records, ...rest }) =>
      commit({ ...rest, records: records.map((record) => ({ ...record, at })) }),
  };
}
