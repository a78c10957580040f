/** The store with its long reads in a thread of their own. The thread begins with the first and ends when none came for a while. */
import { Worker } from "node:worker_threads";
import type { LogRecord, Store } from "../store/store.ts";
import { type Page, type ReadAnswer, type ReadRequest, unpackPage } from "./reader-messages.ts";

/** A look at so few of the newest sequences costs less here than the way to the thread and back. */
const FEW = 32;
const IDLE_MS = 60_000;

/** Apart from the main bundle, or beside this source. */
const ENTRY = import.meta.url.endsWith("/broker.mjs") ? "./broker-reader.mjs" : "./sqlite-reader.ts";

type Without<T, K extends keyof T> = T extends unknown ? Omit<T, K> : never;

/** `path` is the file that `store` has open; what looks at no more than `few` sequences is read here. */
export function withReadingThread(
  store: Store,
  path: string,
  { few = FEW, idleMs = IDLE_MS }: { few?: number; idleMs?: number } = {},
): Store {
  const thread = createThread(path, idleMs);
  /** Newest sequences, as far as this store has seen them. */
  const heads = new Map<string, number>();

  return {
    ...store,
    async workspace(id) {
      const known = await store.workspace(id);
      if (known) heads.set(id, known.head);
      return known;
    },
    async commit(commit) {
      await store.commit(commit);
      for (const { workspace, seq } of commit.records) heads.set(workspace, seq);
    },
    async select(workspace, selection) {
      const span = (heads.get(workspace) ?? Number.POSITIVE_INFINITY) - selection.after;
      if (span <= few) return store.select(workspace, selection);
      const page = await thread.ask({ type: "select", workspace, selection });
      return { records: unpackPage(page), through: page.through };
    },
    async history(
      workspace,
      label,
      before,
      limit,
      maxBytes = Number.POSITIVE_INFINITY,
    ): Promise<LogRecord[]> {
      return unpackPage(await thread.ask({ type: "history", workspace, label, before, limit, maxBytes }));
    },
    async close() {
      await thread.end();
      await store.close();
    },
  };
}

function createThread(path: string, idleMs: number) {
  const pending = new Map<number, { resolve(page: Page): void; reject(error: Error): void }>();
  let worker: Worker | null = null;
  let idle: NodeJS.Timeout | undefined;
  let nextId = 1;

  const fail = (error: Error) => {
    worker = null;
    for (const { reject } of pending.values()) reject(error);
    pending.clear();
  };

  const start = (): Worker => {
    const started = new Worker(new URL(ENTRY, import.meta.url), { workerData: path });
    started.unref();
    started.on("message", (answer: ReadAnswer) => {
      const asked = pending.get(answer.id);
      pending.delete(answer.id);
      if ("page" in answer) asked?.resolve(answer.page);
      else asked?.reject(new Error(answer.error));
      if (pending.size === 0) idle = setTimeout(end, idleMs).unref();
    });
    started.on("error", fail);
    started.on("exit", () => {
      if (worker === started) fail(new Error("the reading thread ended"));
    });
    return started;
  };

  const end = async () => {
    clearTimeout(idle);
    const ending = worker;
    fail(new Error("the store is closed"));
    await ending?.terminate();
  };

  return {
    end,
    ask(request: Without<ReadRequest, "id">): Promise<Page> {
      clearTimeout(idle);
      worker ??= start();
      const id = nextId++;
      const answered = new Promise<Page>((resolve, reject) => pending.set(id, { resolve, reject }));
      worker.postMessage({ id, ...request });
      return answered;
    },
  };
}
