/** `claudemesh VERB …`: find the verb, ask the daemon, print, end with the right code. */
import { writeSync } from "node:fs";
import { connectCurrent } from "#adapters/current-daemon.ts";
import { connectDaemon, type DaemonClient } from "#adapters/daemon-client.ts";
import { clientSocket, homePath } from "#adapters/home.ts";
import { isFirstTime } from "#adapters/once.ts";
import { VERSION } from "#adapters/version.ts";
import { ERRORS, errorShape, MeshError } from "#protocol/errors.ts";
import type { SocketHello } from "#protocol/socket.ts";
import { APPROVAL_MODES } from "./flags.ts";
import { duration, oneOf, string } from "./input.ts";
import { parse } from "./parse.ts";
import { verbs } from "./registry.ts";
import type { Context } from "./verb.ts";
import { heldText } from "./verbs/approvals.ts";

/** The daemon's own answer to a wait that ran out comes first. */
const GRACE_MS = 500;

/** Writes all of it at once, so that the process may end right after. A reader that has gone is no error. */
function out(fd: 1 | 2, text: string, gone: () => void = () => process.exit(0)): void {
  const bytes = Buffer.from(text);
  for (let written = 0; written < bytes.length; ) {
    try {
      written += writeSync(fd, bytes, written);
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : "";
      if (code === "EPIPE") {
        gone();
        return;
      }
      if (code !== "EAGAIN") throw error;
    }
  }
}

async function run(argv: readonly string[]): Promise<void> {
  const { verb, args, options } = parse(verbs, argv);
  const json = options.json === true;
  const quiet = options.quiet === true;
  const timeoutMs = duration(string(options.timeout) ?? "10s", "--timeout");
  const mode = oneOf(options["approval-mode"], "--approval-mode", APPROVAL_MODES);
  const { CLAUDE_CODE_SESSION_ID: around, CLAUDECODE } = process.env;
  const inside = around !== undefined || CLAUDECODE !== undefined || undefined;
  // A verb that has a flag of that name means another session than the one that speaks.
  const session = (verb.options?.session ? undefined : string(options.session)) ?? around;
  const patienceMs = options.timeout === undefined ? undefined : timeoutMs;
  const hello: SocketHello = { client: "cli", version: VERSION, session, mode, inside, patienceMs };
  let client: DaemonClient | null = null;
  let limit: NodeJS.Timeout | null = null;
  let stopShowing = () => {};

  const giveTime = (ms: number) => {
    if (limit) clearTimeout(limit);
    limit = setTimeout(() => {
      stopShowing();
      fail(
        new MeshError(
          "timeout",
          `Waited ${timeoutMs} ms for the daemon's answer to "${verb.name}".`,
          "Give it longer with --timeout, or see `claudemesh status`.",
        ),
        json,
      );
    }, ms + GRACE_MS);
  };

  /** Tells what waits for a yes, and waits along. */
  const heeding = (connected: DaemonClient): DaemonClient => {
    connected.onHeld((approval) => {
      stopShowing();
      // Where no time was counted, none is now.
      if (limit) giveTime(Date.parse(approval.until) - Date.now() + timeoutMs);
      if (!quiet) out(2, json ? `${JSON.stringify({ held: approval })}\n` : `${heldText(approval)}\n`);
    });
    return connected;
  };

  const context: Context = {
    args,
    options,
    json,
    quiet,
    timeoutMs,
    workspace: string(options.workspace) ?? string(options.mesh) ?? process.env.CLAUDEMESH_WORKSPACE,
    async daemon() {
      const { path, isGiven } = clientSocket();
      // Behind a socket that was handed over stands somebody else's daemon.
      const mayStart = options["no-start"] !== true && !isGiven;
      client = await connectCurrent(path, hello, mayStart, {
        limited: context.limited,
        starting(work) {
          context.endless();
          return context.waiting("starting the daemon", work);
        },
        remarked({ name, text }) {
          const isSaid = name === "no manager" && !json && !quiet && !isFirstTime(homePath(), name);
          if (!isSaid) context.note(text);
        },
      });
      return heeding(client).daemon;
    },
    async connect() {
      client = heeding(await connectDaemon(clientSocket().path, hello));
      return client;
    },
    print(value, text, gone) {
      if (json) out(1, `${JSON.stringify(value)}\n`, gone);
      else if (!quiet && text !== "") out(1, `${text}\n`, gone);
    },
    note(text) {
      if (!json && !quiet) out(2, `${text}\n`);
    },
    async waiting(what, work) {
      if (!process.stderr.isTTY || json || quiet) return work;
      const { showWaiting } = await import("./waiting.ts");
      stopShowing = showWaiting(what, (text) => out(2, text));
      return work.finally(stopShowing);
    },
    limited: () => giveTime(timeoutMs),
    endless() {
      if (limit) clearTimeout(limit);
      limit = null;
    },
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
