/** The daemon that a verb speaks with: started where none runs, and replaced where an older one does. */
import { MeshError } from "#protocol/errors.ts";
import { isNewer } from "#protocol/newer.ts";
import type { SocketHello } from "#protocol/socket.ts";
import { connectDaemon, type DaemonClient } from "./daemon-client.ts";
import type { DaemonChild, Remark } from "./start-daemon.ts";
import { VERSION } from "./version.ts";

const START_LIMIT_MS = 30_000;
/** The adapter of a session that runs from the older installation may bring the older daemon back in between. */
const REPLACEMENTS = 3;

export type Pace = {
  /** From now on the verb's time limit counts. */
  limited(): void;
  /** A daemon is being started, which has a limit of its own. */
  starting<T>(work: Promise<T>): Promise<T>;
  remarked(remark: Remark): void;
};

/**
 * With `mayStart` false an absent daemon is an error, and an older one is left as it is.
 * @throws MeshError daemon_unreachable, version_skew, or what keeps the daemon from starting
 */
export async function connectCurrent(
  path: string,
  hello: SocketHello,
  mayStart: boolean,
  pace: Pace,
): Promise<DaemonClient> {
  for (let tries = 1; ; tries++) {
    const client = await connectOrStart(path, hello, mayStart, tries > 1, pace);
    pace.limited();
    if (!mayStart) return client;
    const version = await versionOf(client);
    if (version !== null && !isNewer(VERSION, version)) return client;
    client.close();
    if (tries > REPLACEMENTS) {
      throw new MeshError(
        "version_skew",
        `The daemon is claudemesh ${version ?? "of no known version"}, this is ${VERSION}, and each time that it ends it is started again.`,
        "Find what starts the older one, and update it.",
      );
    }
    await endOlder(path);
  }
}

/** Null when the daemon ended before it said anything: another verb has replaced it. */
async function versionOf(client: DaemonClient): Promise<string | null> {
  try {
    return (await client.welcome).version;
  } catch (error) {
    if (error instanceof MeshError && error.code === "daemon_unreachable") return null;
    throw error;
  }
}

/** For who doesn't connect: one that was there before and is older is replaced, and so is one that an older copy's service starts. */
export async function startCurrent(
  path: string,
  args: readonly string[],
  attached: boolean,
  pace: Omit<Pace, "remarked">,
): Promise<DaemonChild> {
  const { startDaemon } = await import("./start-daemon.ts");
  const start = (own: boolean) =>
    pace.starting(startDaemon(args, { attached, limitMs: START_LIMIT_MS, own }));
  pace.limited();
  const started = await start(await endOlder(path));
  pace.limited();
  return (await endOlder(path)) ? start(true) : started;
}

/** Asks a daemon that is older than this program to end, and waits until it has. False: none, or one as new, was left alone. */
export async function endOlder(path: string): Promise<boolean> {
  let client: DaemonClient;
  try {
    // A connection of its own: whatever the verb's own was allowed, the daemon decides by the versions alone.
    client = await connectDaemon(path, { client: "cli", version: VERSION });
  } catch {
    return false;
  }
  try {
    const version = await versionOf(client);
    if (version === null || !isNewer(VERSION, version)) return false;
    const { stopping } = await client.daemon.daemon.stop({ olderThan: VERSION });
    // The connection ends with the process: then its folder is free.
    if (stopping) await client.closed;
    return stopping;
  } catch (error) {
    // It ended before it answered, which is what was wanted.
    if (!(error instanceof MeshError && error.code === "daemon_unreachable")) throw error;
    return true;
  } finally {
    client.close();
  }
}

async function connectOrStart(
  path: string,
  hello: SocketHello,
  mayStart: boolean,
  own: boolean,
  pace: Pace,
): Promise<DaemonClient> {
  try {
    return await connectDaemon(path, hello);
  } catch (error) {
    if (!mayStart) throw error;
  }
  const { startDaemon } = await import("./start-daemon.ts");
  const starting = startDaemon([], { attached: false, limitMs: START_LIMIT_MS, own });
  const { remark } = await pace.starting(starting);
  if (remark) pace.remarked(remark);
  return connectDaemon(path, hello);
}
