/** Puts the daemon into the hands of this user's service manager, and takes it out again. */
import { chmodSync, existsSync, lstatSync, mkdirSync, readFileSync, rmdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { writeFileAtomically } from "#adapters/atomic-file.ts";
import { connectDaemon } from "#adapters/daemon-client.ts";
import { homePath, securePrivateFolder, socketPath } from "#adapters/home.ts";
import { type Absent, findManager, type ServiceManager } from "#adapters/service/manager.ts";
import { readSpec } from "#adapters/service/spec.ts";
import { launcherPath, startDaemon } from "#adapters/start-daemon.ts";
import { fromSystem } from "#adapters/system-error.ts";
import { VERSION } from "#adapters/version.ts";
import { MeshError } from "#protocol/errors.ts";
import { serviceText, specHere } from "./here.ts";

const START_LIMIT_MS = 30_000;

/** `content` of a file that is written; null for one that goes, and for what is run. */
export type Change = {
  path: string;
  action: "create" | "replace" | "remove" | "run";
  what: string;
  content: string | null;
};

/** A part of an installation: says what it would do, does it, and undoes exactly that. */
export type Step = {
  /** Empty where there is nothing to do. */
  describe(): readonly Change[];
  apply(): Promise<void>;
  undo(): Promise<void>;
};

/** What was there before a step, to be brought back as it was. */
type Before = { file: Buffer | null; mode: number; enabled: boolean; isRunning: boolean };

/** Where there is no manager, why; a person may want to know. @throws MeshError conflict for a file of that name that isn't ours */
export async function installService(): Promise<Step | Absent> {
  const home = homePath();
  const manager = await findManager(home);
  if ("absent" in manager) return manager;
  const text = serviceText(manager, specHere(home, manager.kind));
  const before = await look(manager);
  const isCurrent = before.file?.toString() === text && before.enabled && before.isRunning;
  let made: readonly string[] = [];
  return {
    describe() {
      if (isCurrent) return [];
      return [
        {
          path: manager.path,
          action: before.file ? "replace" : "create",
          what: `the daemon as a service of ${manager.kind}: started at login, and again when it fails`,
          content: text,
        },
        {
          path: manager.name,
          action: "run",
          what:
            manager.kind === "systemd"
              ? `systemctl --user daemon-reload, then enable and start ${manager.name}`
              : `launchctl bootstrap ${manager.name}`,
          content: null,
        },
      ];
    },
    async apply() {
      if (isCurrent) return;
      try {
        made = makeFolders(dirname(manager.path));
        writeFileAtomically(manager.path, text);
        // As any such file: it holds nothing secret.
        chmodSync(manager.path, before.mode);
      } catch (error) {
        throw fromSystem(error, manager.path) ?? error;
      }
      remember(home, made);
      await manager.enable();
      if (!before.isRunning) await endDaemon(home);
      const { remark } = await startDaemon([], { attached: false, limitMs: START_LIMIT_MS });
      if (remark) throw new MeshError("daemon_unreachable", remark.text, "claudemesh doctor");
    },
    undo: () => restore(manager, before, made),
  };
}

/** Nothing to do where there is none of ours. What a person added beside it, such as an `edit` of the unit, stays. */
export async function removeService(): Promise<Step | Absent> {
  const home = homePath();
  const manager = await findManager(home);
  if ("absent" in manager) return manager;
  const isOurs = existsSync(manager.path) && readSpec(readFileSync(manager.path, "utf8")) !== null;
  const nothing: Step = { describe: () => [], async apply() {}, async undo() {} };
  if (!isOurs) return nothing;
  const before = await look(manager);
  const folders = remembered(home);
  return {
    describe: () => [
      { path: manager.name, action: "run", what: "stop the service, and start it no more", content: null },
      { path: manager.path, action: "remove", what: "the daemon as a service", content: null },
    ],
    async apply() {
      await manager.disable();
      rmSync(manager.path);
      await manager.reload();
      removeEmpty(folders);
      rmSync(recordPath(home), { force: true });
    },
    async undo() {
      const again = makeFolders(dirname(manager.path));
      await restore(manager, before, []);
      remember(home, again);
    },
  };
}

/** Writes it for this copy, where another's is in place or its launcher has gone. Answers what it did, in words. */
export async function renewService(manager: ServiceManager): Promise<string> {
  const text = serviceText(manager, specHere(homePath(), manager.kind));
  writeFileAtomically(manager.path, text);
  chmodSync(manager.path, 0o644);
  await manager.enable();
  return `wrote ${manager.path} anew: the service starts ${launcherPath}`;
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

async function restore(manager: ServiceManager, before: Before, made: readonly string[]): Promise<void> {
  if (before.file === null) {
    await manager.disable();
    rmSync(manager.path, { force: true });
    await manager.reload();
    removeEmpty(made);
    rmSync(recordPath(homePath()), { force: true });
    return;
  }
  writeFileAtomically(manager.path, before.file);
  chmodSync(manager.path, before.mode);
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

/** Answers those that weren't there, the outermost first. */
function makeFolders(path: string): string[] {
  const missing: string[] = [];
  for (let at = path; !existsSync(at); at = dirname(at)) missing.unshift(at);
  mkdirSync(path, { recursive: true, mode: 0o700 });
  return missing;
}

function removeEmpty(folders: readonly string[]): void {
  for (const folder of folders.toReversed()) {
    try {
      rmdirSync(folder);
    } catch {
      // Somebody else has put something into it, and it is theirs now.
      return;
    }
  }
}

/** An uninstallation is another process, often much later. */
function remember(home: string, folders: readonly string[]): void {
  securePrivateFolder(home);
  securePrivateFolder(dirname(recordPath(home)));
  const all = [...new Set([...remembered(home), ...folders])];
  writeFileAtomically(recordPath(home), `${JSON.stringify({ folders: all })}\n`);
}

function remembered(home: string): string[] {
  try {
    const said: unknown = JSON.parse(readFileSync(recordPath(home), "utf8"));
    const folders = typeof said === "object" && said !== null && "folders" in said ? said.folders : [];
    return Array.isArray(folders) ? folders.filter((one) => typeof one === "string") : [];
  } catch {
    return [];
  }
}

function recordPath(home: string): string {
  return join(home, "install", "service.json");
}
