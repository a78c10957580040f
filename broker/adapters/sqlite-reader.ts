/** The reading thread: the store's reads on a connection of their own, so that a long catch-up delays no commit. */
import { parentPort, workerData } from "node:worker_threads";
import { openSqliteToRead } from "#adapters/sqlite.ts";
import type { LogRecord } from "../store/store.ts";
import { packPage, type ReadAnswer, type ReadRequest } from "./reader-messages.ts";
import { openSqliteStore } from "./sqlite-store.ts";

const path = String(workerData);
const database = openSqliteToRead(path);
const store = openSqliteStore(path, database);

/** One look at the log, whatever is committed meanwhile. The store reads before it answers with a promise. */
function inOneLook<T>(read: () => Promise<T>): Promise<T> {
  database.exec("BEGIN");
  try {
    return read();
  } finally {
    database.exec("COMMIT");
  }
}

async function pageOf(request: ReadRequest): Promise<{ records: LogRecord[]; through: number }> {
  if (request.type === "select") return store.select(request.workspace, request.selection);
  const { workspace, label, before, limit, maxBytes } = request;
  return { records: await store.history(workspace, label, before, limit, maxBytes), through: 0 };
}

parentPort?.on("message", async (request: ReadRequest) => {
  try {
    const { records, through } = await inOneLook(() => pageOf(request));
    const page = packPage(records, through);
    const answer: ReadAnswer = { id: request.id, page };
    parentPort?.postMessage(answer, [page.numbers.buffer, page.bytes.buffer]);
  } catch (error) {
    const answer: ReadAnswer = { id: request.id, error: String(error) };
    parentPort?.postMessage(answer);
  }
});
