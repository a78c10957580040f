/** `claudemesh broker`: the broker as a process. */
import { mkdirSync } from "node:fs";
import { homedir, hostname, networkInterfaces } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { systemClock, systemRandom, systemTimers } from "#adapters/clock.ts";
import { nodeCurves } from "#adapters/curves.ts";
import { lockFolder } from "#adapters/folder-lock.ts";
import { createLogger } from "#adapters/logger.ts";
import { ERRORS, errorShape, MeshError } from "#protocol/errors.ts";
import { brokerOrigin } from "#protocol/frames.ts";
import { listen } from "./adapters/server.ts";
import { openSqliteStore } from "./adapters/sqlite-store.ts";
import { createBroker } from "./broker.ts";
import { createBus } from "./bus.ts";
import { DEFAULT_TIMES } from "./ports.ts";

const USAGE = `claudemesh broker: relay sealed messages between daemons; it can read none of them

  --host H          address to listen on (127.0.0.1)
  --port N          port to listen on (7433; 0 takes a free one)
  --data DIR        where the log lives (~/.claudemesh/broker)
  --public-url URL  the address that devices use, when a proxy stands in front; may be repeated
  --json            print {"url", "pid"} once it listens

Example: claudemesh broker --host 0.0.0.0 --port 7433 --data /var/lib/claudemesh
`;

type Options = {
  host: string;
  port: number;
  data: string;
  publicUrls: string[];
  json: boolean;
  parentPipe: boolean;
};

function readOptions(argv: string[]): Options | null {
  const { values } = parseArgs({
    args: argv,
    options: {
      host: { type: "string", default: "127.0.0.1" },
      port: { type: "string", default: "7433" },
      data: {
        type: "string",
        default: join(process.env.CLAUDEMESH_HOME ?? join(homedir(), ".claudemesh"), "broker"),
      },
      "public-url": { type: "string", multiple: true, default: [] },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
      // The daemon's embedded broker ends with the daemon: its stdin closes.
      "parent-pipe": { type: "boolean", default: false },
    },
  });
  if (values.help) return null;
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new MeshError("usage", `--port ${values.port} is not a port.`, "Give a number from 0 to 65535.");
  }
  const { host, json } = values;
  return {
    host,
    port,
    json,
    data: resolve(values.data),
    publicUrls: values["public-url"],
    parentPipe: values["parent-pipe"],
  };
}

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

async function run(options: Options): Promise<void> {
  mkdirSync(options.data, { recursive: true, mode: 0o700 });
  const log = createLogger("broker", { path: join(options.data, "broker.log") });
  const unlock = lockFolder(join(options.data, "broker.lock"));
  if (!unlock) {
    throw new MeshError(
      "conflict",
      `Another broker runs on ${options.data}.`,
      "Stop it, or give another --data.",
    );
  }
  const fatal = (error: unknown) => {
    log.error({ error: String(error) }, "storage failed; ending so that memory and disk can't differ");
    process.exit(1);
  };
  const store = openSqliteStore(join(options.data, "broker.db"));
  const world = { clock: systemClock, timers: systemTimers, random: systemRandom, curves: nodeCurves };
  const listening = await listen(options.host, options.port, (port) =>
    createBroker(
      { ...world, store, bus: createBus(), log, fatal },
      { ...DEFAULT_TIMES, origins: originsOf(options, port) },
    ),
  );
  const url =
    options.publicUrls[0] ??
    `http://${options.host.includes(":") ? `[${options.host}]` : options.host}:${listening.port}`;
  process.stdout.write(
    options.json ? `${JSON.stringify({ url, pid: process.pid })}\n` : `broker listening on ${url}\n`,
  );
  log.info({ port: listening.port, pid: process.pid }, "listening");

  let stopping = false;
  const stop = async () => {
    if (stopping) return;
    stopping = true;
    await listening.close();
    unlock();
    log.info({}, "stopped");
    process.exit(0);
  };
  process.on("SIGTERM", stop);
  // A daemon's broker gets the terminal's Ctrl-C too, but the daemon says goodbye first and then closes the pipe.
  process.on("SIGINT", () => (options.parentPipe ? undefined : stop()));
  if (options.parentPipe) {
    process.stdin.resume();
    process.stdin.on("close", stop);
  }
}

function fail(error: unknown, json: boolean): never {
  const known = error instanceof MeshError ? error : fromSystem(error);
  const shape = errorShape(known ?? error);
  process.stderr.write(
    json ? `${JSON.stringify({ error: shape })}\n` : `error: ${shape.message}\nhint: ${shape.hint}\n`,
  );
  process.exit(ERRORS[shape.code].exit);
}

function fromSystem(error: unknown): MeshError | null {
  const code = error instanceof Error && "code" in error ? error.code : "";
  if (code === "EADDRINUSE") return new MeshError("conflict", "The port is in use.", "Give another --port.");
  if (code === "EACCES" || code === "EROFS" || code === "EADDRNOTAVAIL") {
    return new MeshError(
      "bad_data",
      `The system refuses: ${String(error)}`,
      "Check --host, --port and the rights on --data.",
    );
  }
  if (typeof code === "string" && code.startsWith("ERR_PARSE_ARGS")) {
    return new MeshError(
      "usage",
      error instanceof Error ? error.message : "Wrong usage.",
      "See `claudemesh broker --help`.",
    );
  }
  return null;
}

const argv = process.argv.slice(2).filter((arg, i) => !(i === 0 && arg === "broker"));
try {
  const options = readOptions(argv);
  if (options) await run(options);
  else process.stdout.write(USAGE);
} catch (error) {
  fail(error, argv.includes("--json"));
}
