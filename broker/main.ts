/** `claudemesh broker`: the broker as a process. */
import { mkdirSync, readFileSync } from "node:fs";
import { hostname, networkInterfaces } from "node:os";
import { join, resolve } from "node:path";
import { systemClock, systemRandom, systemTimers } from "#adapters/clock.ts";
import { nodeCurves } from "#adapters/curves.ts";
import { lockFolder } from "#adapters/folder-lock.ts";
import { createLogger } from "#adapters/logger.ts";
import { fromSystem as fromPlace } from "#adapters/system-error.ts";
import { ERRORS, errorShape, MeshError } from "#protocol/errors.ts";
import { brokerOrigin } from "#protocol/frames.ts";
import { backUp, markRestored } from "./adapters/backup.ts";
import { type Options, readOptions } from "./adapters/options.ts";
import { createPrometheus } from "./adapters/prometheus.ts";
import { withReadingThread } from "./adapters/reading-thread.ts";
import { listen } from "./adapters/server.ts";
import { smtpMail } from "./adapters/smtp.ts";
import { openSqliteStores } from "./adapters/sqlite-stores.ts";
import { createBroker } from "./broker.ts";
import { createBus } from "./bus.ts";
import { DEFAULT_TIMES } from "./ports.ts";

/** By which names devices may know this broker: what was said, and every address that leads here. */
function originsOf({ host, publicUrls }: Options, port: number): Set<string> {
  const local = ["127.0.0.1", "localhost", "[::1]"];
  const isWildcard = host === "0.0.0.0" || host === "::";
  const addresses = Object.values(networkInterfaces())
    .flatMap((infos) => infos ?? [])
    .map(({ address, family }) => (family === "IPv6" ? `[${address.replace(/%.*$/, "")}]` : address));
  const names = isWildcard
    ? [...local, hostname(), ...addresses]
    : [...local, host.includes(":") ? `[${host}]` : host];
  const urls = [...publicUrls, ...names.map((name) => `http://${name}:${port}`)];
  return new Set(urls.filter((url) => URL.canParse(url)).map(brokerOrigin));
}

const DATABASE = "broker.db";
const SHORTEST_TOKEN = 16;

/** Behind a proxy on this machine everybody comes from this machine: then it takes the token. */
function readersOf({ publicUrls, metricsTokenFile }: Options): { local: boolean; token: string | null } {
  const local = publicUrls.length === 0;
  if (metricsTokenFile === undefined) return { local, token: null };
  const token = readFileSync(metricsTokenFile, "utf8").trim();
  if (token.length >= SHORTEST_TOKEN) return { local, token };
  throw new MeshError(
    "usage",
    "The token for the metrics is too short.",
    `Put at least ${SHORTEST_TOKEN} characters into the file, e.g. by \`openssl rand -hex 16\`.`,
  );
}

/** @throws MeshError conflict */
function ownFolder(data: string): () => void {
  mkdirSync(data, { recursive: true, mode: 0o700 });
  const unlock = lockFolder(join(data, "broker.lock"));
  if (unlock) return unlock;
  throw new MeshError("conflict", `Another broker runs on ${data}.`, "Stop it, or give another --data.");
}

function runBackup({ data, json }: Options, file: string): void {
  backUp(join(data, DATABASE), file);
  process.stdout.write(json ? `${JSON.stringify({ backup: file })}\n` : `backed up to ${file}\n`);
}

function runRestored({ data, json }: Options): void {
  const unlock = ownFolder(data);
  const workspaces = markRestored(join(data, DATABASE), systemRandom);
  unlock();
  process.stdout.write(
    json ? `${JSON.stringify({ workspaces })}\n` : `the logs of ${workspaces} workspaces have new ids\n`,
  );
}

async function run(options: Options): Promise<void> {
  const unlock = ownFolder(options.data);
  const log = createLogger("broker", { path: join(options.data, "broker.log") });
  const fatal = (error: unknown) => {
    log.error({ error: String(error) }, "storage failed; ending so that memory and disk can't differ");
    process.exit(1);
  };
  const database = join(options.data, DATABASE);
  const stores = openSqliteStores(database);
  const store = withReadingThread(stores.store, database);
  const world = { clock: systemClock, timers: systemTimers, random: systemRandom, curves: nodeCurves };
  // Nobody asks a daemon's own broker, and watching the event loop wakes an idle machine up.
  const counting = options.parentPipe ? {} : { metrics: createPrometheus() };
  const mailing = options.smtpFile === undefined ? {} : { mail: smtpMail(options.smtpFile) };
  const make = (port: number) =>
    createBroker(
      { ...world, ...stores, store, bus: createBus(), log, fatal, ...counting, ...mailing },
      {
        ...DEFAULT_TIMES,
        origins: originsOf(options, port),
        metrics: readersOf(options),
        retention: options.retention,
        registeredOnly: options.registeredOnly,
      },
    );
  const listening = await listen(options.host, options.port, make, {
    proxies: new Set(options.trustedProxies),
  });
  const url =
    options.publicUrls[0] ??
    `http://${options.host.includes(":") ? `[${options.host}]` : options.host}:${listening.port}`;
  let stopping = false;
  const stop = async () => {
    if (stopping) return;
    stopping = true;
    log.info({}, "stopping");
    await listening.close();
    unlock();
    log.info({}, "stopped");
    process.exit(0);
  };
  // Asked twice, it doesn't wait for the devices to go. A Ctrl-C may come twice from one keystroke.
  process.on("SIGTERM", () => (stopping ? process.exit(1) : stop()));
  // A daemon's broker gets the terminal's Ctrl-C too, but the daemon says goodbye first and then closes the pipe.
  process.on("SIGINT", () => (options.parentPipe ? undefined : stop()));
  if (options.parentPipe) {
    process.stdin.resume();
    process.stdin.on("close", stop);
  }
  // Said once everything is in place: whoever waits for it may send a signal next.
  process.stdout.write(
    options.json
      ? `${JSON.stringify({ url, port: listening.port, pid: process.pid })}\n`
      : `broker listening on ${url}\n`,
  );
  log.info({ port: listening.port, pid: process.pid }, "listening");
}

function fail(error: unknown, json: boolean): never {
  const known = fromSystem(error) ?? fromPlace(error, "--data");
  const shape = errorShape(known ?? error);
  process.stderr.write(
    json ? `${JSON.stringify({ error: shape })}\n` : `error: ${shape.message}\nhint: ${shape.hint}\n`,
  );
  process.exit(ERRORS[shape.code].exit);
}

function fromSystem(error: unknown): MeshError | null {
  const code = error instanceof Error && "code" in error ? error.code : "";
  if (code === "EADDRINUSE") return new MeshError("conflict", "The port is in use.", "Give another --port.");
  if (code === "ENOENT") {
    return new MeshError("bad_data", `There is no such file: ${String(error)}`, "Check the paths.");
  }
  if (code === "EACCES" || code === "EROFS" || code === "EADDRNOTAVAIL") {
    return new MeshError(
      "bad_data",
      `The system refuses: ${String(error)}`,
      "Check --host, --port and the rights on --data.",
    );
  }
  return null;
}

const argv = process.argv.slice(process.argv[2] === "broker" ? 3 : 2);
try {
  const options = readOptions(argv);
  if (options.backup !== undefined) runBackup(options, resolve(options.backup));
  else if (options.restored) runRestored(options);
  else await run(options);
} catch (error) {
  fail(error, argv.includes("--json"));
}
