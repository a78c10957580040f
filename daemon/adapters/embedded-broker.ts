/** The broker that `up` brings along: a process of its own that ends with this one, brought back when it dies. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { launcherPath } from "#adapters/start-daemon.ts";
import { fromErrorShape, type MeshError } from "#protocol/errors.ts";
import type { Log, Timers } from "#protocol/ports.ts";

export type EmbeddedBroker = { port: number; stop(): Promise<void> };

const START_LIMIT_MS = 15_000;
const STOP_LIMIT_MS = 5000;
const RESTART_MS = 500;
const LONGEST_RESTART_MS = 10_000;

/** `port` null: any free one, told back. @throws Error when it doesn't come up */
export async function startEmbeddedBroker({
  data,
  port,
  log,
  timers,
}: {
  data: string;
  port: number | null;
  log: Log;
  timers: Timers;
}): Promise<EmbeddedBroker> {
  let stopping = false;
  let failures = 0;
  let child: ChildProcess;
  let boundPort = port ?? 0;

  const start = async (): Promise<void> => {
    child = spawn(
      launcherPath,
      [
        "broker",
        "--parent-pipe",
        "--json",
        "--host",
        "127.0.0.1",
        "--port",
        String(boundPort),
        "--data",
        data,
      ],
      { stdio: ["pipe", "pipe", "pipe"] },
    );
    child.once("exit", (code) => {
      if (stopping) return;
      const wait = Math.min(LONGEST_RESTART_MS, RESTART_MS * 2 ** failures++);
      log.warn({ code, wait }, "the embedded broker ended; it is started again");
      timers.after(wait, () => {
        if (!stopping)
          start().catch((error) =>
            log.error({ error: String(error) }, "the embedded broker doesn't come up"),
          );
      });
    });
    boundPort = await listeningPort(child);
    failures = 0;
  };

  await start();
  return {
    port: boundPort,
    async stop() {
      stopping = true;
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
      const cancel = timers.after(STOP_LIMIT_MS, () => child.kill("SIGKILL"));
      child.stdin?.end();
      await ended;
      cancel();
    },
  };
}

function listeningPort(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    let complaint = "";
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      complaint = (complaint + text).slice(-2000);
    });
    const limit = setTimeout(
      () => reject(new Error("the embedded broker didn't answer in time")),
      START_LIMIT_MS,
    );
    child.once("error", reject);
    // By then everything that it said has come.
    child.once("close", (code) => {
      clearTimeout(limit);
      reject(whyEnded(complaint) ?? new Error(`the embedded broker ended with code ${code}`));
    });
    createInterface({ input: child.stdout ?? process.stdin }).once("line", (line) => {
      clearTimeout(limit);
      const said: unknown = JSON.parse(line);
      if (typeof said === "object" && said !== null && "port" in said) resolve(Number(said.port));
      else reject(new Error("the embedded broker said something else than its address"));
    });
  });
}

/** With --json it says on stderr what keeps it from starting. */
function whyEnded(complaint: string): MeshError | null {
  try {
    const said: unknown = JSON.parse(complaint.trim().split("\n").at(-1) ?? "");
    if (typeof said !== "object" || said === null || !("error" in said)) return null;
    return fromErrorShape(said.error as { code: string; message: string; hint: string });
  } catch {
    return null;
  }
}
