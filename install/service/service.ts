/** Puts the daemon into the hands of this user's service manager, and takes it out again. */
import { chmodSync, existsSync, lstatSync, readFileSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { writeFileAtomically } from "#adapters/atomic-file.ts";
import { connectDaemon } from "#adapters/daemon-client.ts";
import { homePath, socketPath } from "#adapters/home.ts";
import { type Absent, findManager, type ServiceManager } from "#adapters/service/manager.ts";
import { readSpec, type ServiceSpec } from "#adapters/service/spec.ts";
import { startDaemon } from "#adapters/start-daemon.ts";
import { fromSystem } from "#adapters/system-error.ts";
import { VERSION } from "#adapters/version.ts";
import { errorShape, MeshError } from "#protocol/errors.ts";
import type { Change, Plan } from "../step.ts";
import { forget, makeFolders, remember, remembered, removeEmpty } from "./folders.ts";
import { serviceText, specHere } from "./here.ts";

const START_LIMIT_MS = 30_000;

/** What was there before a step, to be brought back as it was. */
type Before = { file: Buffer | null; mode: number; enabled: boolean; isRunning: boolean };

/** @throws MeshError conflict for a file of that name that isn't ours */
export async function installService(): Promise<Plan> {
  const home = homePath();
  const manager = await findManager(home);
  if ("absent" in manager) return withoutManager(manager);
  const text = serviceText(manager, specHere(home, manager.kind));
  const before = await look(manager);
  const old = before.file?.toString() ?? "";
  if (old === text && before.enabled) return { steps: [], remarks: [] };
  let made: readonly string[] = [];
  const change: Change = {
    path: manager.path,
    action: before.file ? "change" : "create",
    what: `a service of ${manager.kind}: the daemon starts at login, and again when it fails (now, too)`,
    diff: changedLines(old, text),
  };
  const undo = () => restore(manager, before, made);
  return {
    remarks: [],
    steps: [
      {
        changes: [change],
        async apply() {
          try {
            made = makeFolders(dirname(manager.path));
            remember(home, made);
            write(manager, text, before.mode);
            await manager.enable();
            if (!before.isRunning) await endDaemon(home);
            const { remark } = await startDaemon([], { attached: false, limitMs: START_LIMIT_MS });
            if (remark) throw new MeshError("daemon_unreachable", remark.text, "Install with --no-service.");
          } catch (error) {
            throw await takenBack(error, undo);
          }
        },
        undo,
      },
    ],
  };
}

/** None where there is none of ours. What a person added beside it, such as an `edit` of the unit, stays. */
export async function removeService(): Promise<Plan> {
  const home = homePath();
  const manager = await findManager(home);
  if ("absent" in manager) return { steps: [], remarks: [] };
  const isOurs = existsSync(manager.path) && readSpec(readFileSync(manager.path, "utf8")) !== null;
  if (!isOurs) return { steps: [], remarks: [] };
  const before = await look(manager);
  const folders = remembered(home);
  const change: Change = {
    path: manager.path,
    action: "remove",
    what: "the daemon's service, which is stopped first",
    diff: changedLines(before.file?.toString() ?? "", ""),
  };
  const undo = async () => {
    const again = makeFolders(dirname(manager.path));
    remember(home, [...folders, ...again]);
    await restore(manager, before, []);
  };
  return {
    remarks: [],
    steps: [
      {
        changes: [change],
        async apply() {
          try {
            await manager.disable();
            rmSync(manager.path);
            await manager.reload();
            removeEmpty(folders);
            forget(home);
          } catch (error) {
            throw await takenBack(fromSystem(error, manager.path) ?? error, undo);
          }
        },
        undo,
      },
    ],
  };
}

/** Answers what it did, in words. */
export async function renewService(manager: ServiceManager, spec: ServiceSpec): Promise<string> {
  write(manager, serviceText(manager, spec), 0o644);
  await manager.enable();
  return `wrote ${manager.path} anew: the service starts ${spec.launcher}`;
}

/** Others may read it, as any such file: it holds nothing secret. */
function write({ path }: ServiceManager, content: string | Uint8Array, mode: number): void {
  try {
    writeFileAtomically(path, content);
    chmodSync(path, mode);
  } catch (error) {
    throw fromSystem(error, path) ?? error;
  }
}

function withoutManager({ absent }: Absent): Plan {
  return { steps: [], remarks: [`No service: ${absent}. Verbs start the daemon when they need it.`] };
}

function changedLines(before: string, after: string): string[] {
  const [old, fresh] = [before.split("\n"), after.split("\n")];
  const gone = old.filter((line) => line.trim() && !fresh.includes(line)).map((line) => `- ${line}`);
  return [...gone, ...fresh.filter((line) => line.trim() && !old.includes(line)).map((line) => `+ ${line}`)];
}

async function look(manager: ServiceManager): Promise<Before> {
  const stat = lstatSync(manager.path, { throwIfNoEntry: false });
  if (!stat) return { file: null, mode: 0o644, enabled: false, isRunning: false };
  const file = stat.isFile() ? readFileSync(manager.path) : null;
  if (file === null || readSpec(file.toString()) === null) {
    throw new MeshError(
      "conflict",
      `${manager.path} is there already, and claudemesh didn't write it.`,
      "Move it away, or install with --no-service.",
    );
  }
  const { enabled, state } = await manager.state();
  return { file, mode: stat.mode & 0o777, enabled, isRunning: state === "running" };
}

/** What made it fail; and, where that is so, that not all is as it was. */
async function takenBack(error: unknown, undo: () => Promise<void>): Promise<unknown> {
  try {
    await undo();
    return error;
  } catch (stuck) {
    const { code, message } = errorShape(error);
    const more = `${message} It couldn't be taken back: ${errorShape(stuck).message}`;
    return new MeshError(code, more, "See `claudemesh doctor`.");
  }
}

async function restore(manager: ServiceManager, before: Before, made: readonly string[]): Promise<void> {
  if (before.file === null) {
    if (existsSync(manager.path)) await manager.disable();
    rmSync(manager.path, { force: true });
    await manager.reload();
    removeEmpty(made);
    forget(homePath());
    return;
  }
  write(manager, before.file, before.mode);
  await manager.reload();
  if (before.enabled) await manager.enable();
  else await manager.disable();
  if (before.isRunning) await startDaemon([], { attached: false, limitMs: START_LIMIT_MS });
}

/** One that runs without the service would keep it from its place. What waits in its outbox is in the database. */
export async function endDaemon(home: string): Promise<void> {
  try {
    const client = await connectDaemon(socketPath(home), { client: "cli", version: VERSION });
    await client.daemon.daemon.stop({});
    await client.closed;
  } catch (error) {
    if (!(error instanceof MeshError && error.code === "daemon_unreachable")) throw error;
  }
}
