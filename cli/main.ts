/** `claudemesh VERB …`: find the verb, ask the daemon, print, end with the right code. */
import { writeSync } from "node:fs";
import { parseArgs } from "node:util";
import { connectCurrent } from "#adapters/current-daemon.ts";
import type { DaemonClient } from "#adapters/daemon-client.ts";
import { clientSocket } from "#adapters/home.ts";
import { VERSION } from "#adapters/version.ts";
import { ERRORS, errorShape, MeshError } from "#protocol/errors.ts";
import { didYouMean } from "#protocol/nearest.ts";
import type { SocketHello } from "#protocol/socket.ts";
import { duration, oneOf, string } from "./input.ts";
import { verbs } from "./registry.ts";
import type { Context, Options, Verb } from "./verb.ts";
import { helpPage } from "./verbs/help.ts";

const GLOBAL_OPTIONS = {
  workspace: { type: "string" },
  mesh: { type: "string" },
  json: { type: "boolean" },
  quiet: { type: "boolean" },
  timeout: { type: "string" },
  "no-start": { type: "boolean" },
  "approval-mode": { type: "string" },
  yes: { type: "boolean", short: "y" },
  help: { type: "boolean", short: "h" },
  session: { type: "string" },
} as const;

/** The daemon's own answer to a wait that ran out comes first. */
const GRACE_MS = 500;

/** Writes all of it at once, so that the process may end right after. A reader that has gone is no error. */
function out(fd: 1 | 2, text: string): void {
  const bytes = Buffer.from(text);
  for (let written = 0; written < bytes.length; ) {
    try {
      written += writeSync(fd, bytes, written);
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : "";
      if (code === "EPIPE") process.exit(0);
      if (code !== "EAGAIN") throw error;
    }
  }
}

/** The verb that the first words name, and the words behind it. */
function findVerb(words: readonly string[]): { verb: Verb; rest: readonly string[] } {
  const [first = "help"] = words;
  if (/^https?:\/\//.test(first)) return findVerb(["join", ...words]);
  for (const length of [2, 1]) {
    const name = [first === "mesh" ? "workspace" : first, ...words.slice(1, length)].join(" ");
    const verb =
      words.length >= length || length === 1
        ? verbs.find((one) => one.name === name || one.aliases?.includes(name))
        : undefined;
    if (verb) return { verb, rest: words.slice(length) };
  }
  const isNoun = verbs.some(({ name }) => name.startsWith(`${first} `));
  const wanted = words.slice(0, isNoun ? 2 : 1).join(" ");
  const names = verbs.flatMap(({ name, aliases = [] }) => [name, ...aliases]);
  throw new MeshError(
    "usage",
    `There is no verb "${wanted}".`,
    didYouMean(wanted, names, isNoun ? `See \`claudemesh help ${first}\`.` : "See `claudemesh help`."),
  );
}

function parse(argv: readonly string[]): { verb: Verb; args: readonly string[]; options: Options } {
  // First loosely, to find the verb among the flags; then strictly, with the verb's own flags.
  const loose = parseArgs({
    args: [...argv],
    options: GLOBAL_OPTIONS,
    allowPositionals: true,
    strict: false,
  });
  const { verb } = findVerb(loose.positionals);
  try {
    const { positionals, values } = parseArgs({
      args: [...argv],
      options: { ...GLOBAL_OPTIONS, ...verb.options },
      allowPositionals: true,
    });
    return { verb, args: findVerb(positionals).rest, options: values as Options };
  } catch (error) {
    const why = error instanceof Error ? (error.message.split(/[.\n]/)[0] ?? "") : String(error);
    throw new MeshError(
      "usage",
      `${why}.`,
      `See \`claudemesh help ${verb.name}\`; words that begin with - go behind --.`,
    );
  }
}

function requireArgs(verb: Verb, args: readonly string[]): void {
  const wanted = verb.args ?? [];
  const least = wanted.filter((name) => !name.startsWith("[")).length;
  const most = wanted.some((name) => name.endsWith("…")) ? Number.POSITIVE_INFINITY : wanted.length;
  if (args.length >= least && args.length <= most) return;
  const what =
    args.length < least
      ? `${wanted[args.length] ?? "an argument"} is missing`
      : `"${args[most]}" is one too many`;
  throw new MeshError("usage", `${verb.name}: ${what}.`, `Example: ${verb.examples[0]}`);
}

async function run(argv: readonly string[]): Promise<void> {
  const { verb, args, options } = parse(argv);
  const json = options.json === true;
  if (options.help === true) {
    const page = helpPage(verbs, argv.length === 1 ? [] : [verb.name]);
    out(1, json ? `${JSON.stringify({ help: page })}\n` : `${page}\n`);
    return;
  }
  requireArgs(verb, args);
  const timeoutMs = duration(string(options.timeout) ?? "10s", "--timeout");
  const mode = oneOf(options["approval-mode"], "--approval-mode", ["plan", "read-only", "write", "yolo"]);
  const session = string(options.session) ?? process.env.CLAUDE_CODE_SESSION_ID;
  let client: DaemonClient | null = null;
  let limit: NodeJS.Timeout | undefined;

  const context: Context = {
    args,
    options,
    json,
    quiet: options.quiet === true,
    timeoutMs,
    workspace: string(options.workspace) ?? string(options.mesh) ?? process.env.CLAUDEMESH_WORKSPACE,
    async daemon() {
      const hello: SocketHello = { client: "cli", version: VERSION, session, mode };
      const { path, isGiven } = clientSocket();
      // Behind a socket that was handed over stands somebody else's daemon.
      const mayStart = options["no-start"] !== true && !isGiven;
      client = await connectCurrent(path, hello, mayStart, {
        limited: context.limited,
        starting() {
          context.endless();
          if (process.stderr.isTTY) out(2, "starting the daemon …\n");
        },
      });
      return client.daemon;
    },
    print(value, text) {
      if (json) out(1, `${JSON.stringify(value)}\n`);
      else if (options.quiet !== true && text !== "") out(1, `${text}\n`);
    },
    note(text) {
      if (!json && options.quiet !== true) out(2, `${text}\n`);
    },
    limited() {
      clearTimeout(limit);
      limit = setTimeout(() => {
        fail(
          new MeshError(
            "timeout",
            `Waited ${timeoutMs} ms for the daemon's answer to "${verb.name}".`,
            "Give it longer with --timeout, or see `claudemesh status`.",
          ),
          json,
        );
      }, timeoutMs + GRACE_MS);
    },
    endless: () => clearTimeout(limit),
    closed: () => client?.closed ?? Promise.resolve(),
  };
  await verb.run(context);
}

function fail(error: unknown, json: boolean): never {
  const shape = errorShape(error);
  const message = shape.code === "unexpected" ? `${shape.message} (${String(error)})` : shape.message;
  out(
    2,
    json
      ? `${JSON.stringify({ error: { ...shape, message } })}\n`
      : `error: ${message}\n${shape.hint ? `hint: ${shape.hint}\n` : ""}`,
  );
  process.exit(ERRORS[shape.code].exit);
}

const argv = process.argv.slice(2);
run(argv).then(
  () => process.exit(process.exitCode ?? 0),
  (error) => fail(error, argv.includes("--json")),
);
