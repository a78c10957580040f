/** `claudemesh __daemon`: the daemon as a process. Says one line of JSON on stdout once it listens, or why it can't. */
import { existsSync, mkdirSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { systemClock, systemRandom, systemTimers } from "#adapters/clock.ts";
import {
  homePath,
  securePrivateFolder,
  socketFolder,
  socketPath,
  stoppedPath,
  workspaceSocketPath,
} from "#adapters/home.ts";
import { createLogger } from "#adapters/logger.ts";
import { openSqlite } from "#adapters/sqlite.ts";
import { nodeStretch } from "#adapters/stretch.ts";
import { fromSystem } from "#adapters/system-error.ts";
import { threadedCurves } from "#adapters/threaded-curves.ts";
import { VERSION } from "#adapters/version.ts";
import { ERRORS, errorShape, type MeshError } from "#protocol/errors.ts";
import type { Migration } from "#protocol/ports.ts";
import { claudeFiles } from "./adapters/claude-files.ts";
import { readConfigFile, writeConfigFile } from "./adapters/config-file.ts";
import { openDecisionLog } from "./adapters/decision-log.ts";
import { startEmbeddedBroker } from "./adapters/embedded-broker.ts";
import { examineHome } from "./adapters/examine-home.ts";
import { fileKeychain } from "./adapters/keychain.ts";
import { dial, fetchJson } from "./adapters/network.ts";
import { watchNetwork } from "./adapters/network-changes.ts";
import { endWhenGone, ownFolder } from "./adapters/own-folder.ts";
import { ownName } from "./adapters/own-name.ts";
import { policyFile } from "./adapters/policy-file.ts";
import { listenUnix, removeLeftovers } from "./adapters/unix-socket.ts";
import { mergeConfig, type UpOptions } from "./config.ts";
import { createDaemon } from "./daemon.ts";

/** A clean stop that takes longer than this is none. */
const STOP_LIMIT_MS = 15_000;

function say(line: Record<string, unknown>): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

type Options = UpOptions & { parentPipe: boolean; remember: boolean; doctor: boolean; fix: boolean };

function readOptions(argv: string[]): Options {
  const { values } = parseArgs({
    args: argv,
    options: {
      name: { type: "string" },
      broker: { type: "string" },
      "no-broker": { type: "boolean" },
      port: { type: "string" },
      "parent-pipe": { type: "boolean", default: false },
      remember: { type: "boolean", default: false },
      doctor: { type: "boolean", default: false },
      fix: { type: "boolean", default: false },
    },
  });
  const port = values.port === undefined ? undefined : Number(values.port);
  return {
    name: values.name,
    broker: values.broker,
    noBroker: values["no-broker"],
    port,
    parentPipe: values["parent-pipe"],
    remember: values.remember,
    doctor: values.doctor,
    fix: values.fix,
  };
}

async function run(options: Options): Promise<void> {
  // Databases and logs are made by libraries that would let others read them.
  process.umask(0o077);
  const home = homePath();
  securePrivateFolder(home);
  const socket = socketPath(home);
  const owned = await ownFolder(home, socket);
  if ("pid" in owned) {
    say({ ready: true, already: true, pid: owned.pid });
    process.exit(0);
  }
  // rmSync would say nothing that is understood of a read-only home.
  if (existsSync(stoppedPath(home))) unlinkSync(stoppedPath(home));
  const log = createLogger("daemon", { path: join(home, "logs", "daemon.log") });
  // Nobody reads what Node says at the end of a detached process.
  process.on("uncaughtExceptionMonitor", (error) => log.error({ error: error.stack }, "ended by a failure"));
  const config = mergeConfig(readConfigFile(home), options, ownName());
  if (options.remember) {
    writeConfigFile(home, config);
    owned.unlock();
    say({ remembered: true });
    process.exit(0);
  }

  const broker = config.embedded
    ? await startEmbeddedBroker({ data: join(home, "broker"), port: config.port, log, timers: systemTimers })
    : null;
  const port = broker?.port ?? config.port;
  writeConfigFile(home, { ...config, port });

  const databases = join(home, "workspaces");
  mkdirSync(databases, { recursive: true, mode: 0o700 });
  const databasePath = (name: string) =>
    name === "account" ? join(home, "account.db") : join(databases, `${name}.db`);
  let requestStop = (_byPerson: boolean) => {};
  let databaseFailed = (_name: string, _why: MeshError) => {};
  const ports = {
    clock: systemClock,
    timers: systemTimers,
    random: systemRandom,
    curves: threadedCurves,
    stretch: nodeStretch,
    dial,
    fetchJson,
    network: watchNetwork(systemTimers),
    keychain: fileKeychain(join(home, "keys")),
    renamed: (name: string) => writeConfigFile(home, { ...config, port, name }),
    openDatabase: (name: string, migrations: readonly Migration[]) =>
      openSqlite(databasePath(name), migrations, (why) => databaseFailed(name, why)),
    removeDatabase(name: string) {
      for (const suffix of ["", "-wal", "-shm"]) rmSync(databasePath(name) + suffix, { force: true });
    },
    log,
    pid: process.pid,
    version: VERSION,
    home,
    socketPath: socket,
    workspaceSocket: (slug: string) => workspaceSocketPath(home, slug),
    listen: listenUnix,
    decisions: openDecisionLog(join(home, "logs", "decisions.jsonl")),
    claude: claudeFiles,
    policy: policyFile(home),
    startedAt: systemClock.now(),
    requestStop: (byPerson: boolean) => requestStop(byPerson),
  };
  const daemon = await createDaemon(ports, {
    name: config.name,
    host: hostname(),
    brokers: { given: config.broker, embedded: broker ? `http://127.0.0.1:${broker.port}` : null },
  });
  // Whoever met the failure is still at work in that database: it is closed once the turn is over.
  databaseFailed = (name, why) => systemTimers.soon(() => daemon.databaseFailed(name, why));
  removeLeftovers(socketFolder(home));
  const server = await listenUnix(socket, daemon.serve);

  let stopping = false;
  const stop = async (code: number) => {
    if (stopping) return;
    stopping = true;
    systemTimers.after(STOP_LIMIT_MS, () => {
      log.error({}, "the stop took too long and was cut short");
      process.exit(1);
    });
    server.close();
    await daemon.stop();
    await broker?.stop();
    owned.unlock();
    log.info({ code }, "stopped");
    process.exit(code);
  };
  requestStop = (byPerson) => {
    if (byPerson) writeFileSync(stoppedPath(home), "");
    systemTimers.soon(() => stop(0));
  };
  process.on("SIGTERM", () => stop(0));
  process.on("SIGHUP", () => stop(0));
  // A terminal's Ctrl-C reaches `up`, which then closes the pipe; twice is not sooner.
  process.on("SIGINT", () => (options.parentPipe ? undefined : stop(0)));
  if (options.parentPipe) {
    process.stdin.resume();
    process.stdin.on("close", () => stop(0));
  }
  endWhenGone(home, socket);

  await daemon.start();
  log.info({ pid: process.pid, version: VERSION }, "started");
  say({ ready: true, already: false, pid: process.pid });
}

try {
  const options = readOptions(process.argv.slice(3));
  if (options.doctor) say(examineHome(options.fix));
  else await run(options);
} catch (error) {
  const named = fromSystem(error, homePath());
  const message = `The daemon can't start: ${named?.message ?? String(error)}`;
  const { code, hint } = errorShape(named);
  say({ error: { code, message, hint } });
  process.exit(ERRORS[code].exit);
}
