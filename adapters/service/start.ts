/** Starts the daemon through its service, where one is installed and its manager runs. */
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { errorShape, MeshError } from "#protocol/errors.ts";
import { connectDaemon } from "../daemon-client.ts";
import { socketPath } from "../home.ts";
import type { Remark } from "../start-daemon.ts";
import { VERSION } from "../version.ts";
import { findManager, type ServiceManager } from "./manager.ts";
import { readSpec } from "./spec.ts";

const LOOK_AGAIN_MS = 50;
const ANSWER_MS = 1000;
/** The manager learns of an end a moment after everybody else: a start that comes in between changes nothing. */
const STARTS = 5;

export type ByService = { pid: number; already: boolean } | { remark: Remark | null };

type Wanted = {
  launcher: string;
  limitMs: number;
  own: boolean;
  /** Has the daemon remember what it was told, before it is started without being told anything. */
  remember(): Promise<void>;
};

/** A remark in place of a daemon: whoever asked starts one, and says why that was needed. */
export async function startByService(home: string, wanted: Wanted): Promise<ByService> {
  const manager = await findManager(home);
  if ("absent" in manager) return { remark: noManager(manager.absent) };
  if (!existsSync(manager.path)) return { remark: null };
  const spec = readSpec(readFileSync(manager.path, "utf8"));
  if (spec === null) return { remark: trouble(`${manager.path} isn't ours`) };
  if (!existsSync(spec.launcher)) return { remark: trouble(`${spec.launcher}, which it starts, has gone`) };
  if (wanted.own && !sameFile(spec.launcher, wanted.launcher))
    return { remark: trouble(`it starts an older claudemesh, ${spec.launcher}`) };
  const before = await answering(home);
  if (before !== null) return { pid: before, already: true };
  await wanted.remember();
  try {
    return { pid: await startAndWait(home, manager, wanted.limitMs), already: false };
  } catch (error) {
    return { remark: trouble(errorShape(error).message) };
  }
}

async function startAndWait(home: string, manager: ServiceManager, limitMs: number): Promise<number> {
  const deadline = performance.now() + limitMs;
  for (let starts = 0; performance.now() < deadline; ) {
    const { state, ending } = await manager.state();
    // One that somebody else has just started is waited for; what failed before counts after the first try.
    if (starts === 0 || state === "stopped") {
      if (starts++ === STARTS) throw broken("it ends at once, without a failure");
      await manager.start();
    } else if (state === "failed" || state === "waiting") {
      throw broken(ending);
    }
    const pid = await answering(home);
    if (pid !== null) return pid;
    await pause(LOOK_AGAIN_MS);
  }
  throw broken(`nothing answered in ${limitMs / 1000} s`);
}

/** The daemon's pid, once it answers at its socket. */
export async function answering(home: string): Promise<number | null> {
  try {
    const client = await connectDaemon(socketPath(home), { client: "cli", version: VERSION });
    // One that takes the connection and is silent is asked again.
    const silence = pause(ANSWER_MS, null, { ref: false });
    const welcome = await Promise.race([client.welcome, silence]);
    client.close();
    return welcome?.pid ?? null;
  } catch {
    return null;
  }
}

function broken(why: string): MeshError {
  return new MeshError("daemon_unreachable", why, "claudemesh doctor");
}

function sameFile(one: string, other: string): boolean {
  return realpathSync(one) === realpathSync(other);
}

function trouble(why: string): Remark {
  return {
    name: "service trouble",
    text: `The service can't be used: ${why.replace(/\.$/, "")}. The daemon was started without it; claudemesh doctor says what to do.`,
  };
}

function noManager(why: string): Remark {
  return {
    name: "no manager",
    text: `No service keeps the daemon running: ${why}. Verbs start it when they need it. (This is said once.)`,
  };
}
