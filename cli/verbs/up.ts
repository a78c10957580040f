/** up: in the background, or in the foreground with a live feed */
import { startCurrent } from "#adapters/current-daemon.ts";
import { connectDaemon, type DaemonClient } from "#adapters/daemon-client.ts";
import { clientSocket, homePath, socketPath } from "#adapters/home.ts";
import { VERSION } from "#adapters/version.ts";
import { MeshError } from "#protocol/errors.ts";
import type { FeedEvent } from "#protocol/features/daemon.ts";
import { string, whole } from "../input.ts";
import { clock, messageLine, noticeLine, paint, safe } from "../print.ts";
import type { Context, Verb } from "../verb.ts";

function daemonArgs({ options }: Context): string[] {
  const port = whole(options.port, "--port");
  return [
    ...(string(options.name) === undefined ? [] : ["--name", String(options.name)]),
    ...(string(options.broker) === undefined ? [] : ["--broker", String(options.broker)]),
    ...(options["no-broker"] === true ? ["--no-broker"] : []),
    ...(port === undefined ? [] : ["--port", String(port)]),
  ];
}

export const up: Verb = {
  name: "up",
  group: "daemon",
  options: {
    foreground: { type: "boolean", about: "show what happens until Ctrl-C, which then stops everything" },
    name: { type: "string", value: "N", about: "your name in workspaces; the system user's without it" },
    broker: { type: "string", value: "URL", about: "the broker for new workspaces" },
    "no-broker": { type: "boolean", about: "bring none along on this machine" },
    port: { type: "string", value: "N", about: "of the broker that comes along; drawn once without it" },
  },
  summary: "start the daemon (and a broker on this machine); the flags are remembered",
  examples: [
    "claudemesh up",
    "claudemesh up --foreground",
    "claudemesh up --broker https://broker.example --no-broker",
  ],
  local: true,
  async run(context) {
    const args = daemonArgs(context);
    if (clientSocket().isGiven) {
      throw new MeshError(
        "usage",
        "CLAUDEMESH_SOCKET says that the daemon is elsewhere.",
        "Unset it to start one of your own here.",
      );
    }
    const attached = context.options.foreground === true;
    const child = await startCurrent(socketPath(homePath()), args, attached, {
      limited: context.limited,
      starting(work) {
        context.endless();
        return context.waiting("starting the daemon", work);
      },
    });
    context.endless();
    if (child.remark?.name === "service trouble") context.note(child.remark.text);
    const client = await connectDaemon(socketPath(homePath()), { client: "cli", version: VERSION });
    if (child.already && args.length > 0) {
      context.note(
        "The daemon was running already; its settings are as before. To change them: claudemesh down, then up again.",
      );
    }
    if (attached) return foreground(context, client, child.already ? null : child);
    const status = await client.daemon.daemon.status({});
    client.close();
    const where = status.broker.url ?? "no broker yet";
    context.print(status, `${status.account.name} is on the mesh: pid ${status.daemon.pid}, ${where}`);
  },
};

/** Shows what happens until Ctrl-C; then ends what it started, in order, and leaves nothing behind. */
async function foreground(
  context: Context,
  client: DaemonClient,
  child: { ended: Promise<number> } | null,
): Promise<void> {
  const { daemon } = client;
  const status = await daemon.daemon.status({});
  const { json, print } = context;
  if (json) print({ type: "up", status }, "");
  else print(null, banner(status.account.name, status.broker.url, child === null));

  let stopping = false;
  const stop = async () => {
    // npm passes Ctrl-C on as well, so it comes twice: the second must not shorten a clean stop.
    if (stopping) return;
    stopping = true;
    if (!json) process.stdout.write("\nstopping …\n");
    if (child) await daemon.daemon.stop({}).catch(() => {});
    client.close();
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  process.on("SIGHUP", stop);

  if (status.broker.url) await showCheck(context, client);
  await daemon.feed.open({}, (event) => {
    const line = feedLine(event);
    if (json || line) print(event, line);
  });
  await client.closed;
  const code = child ? await child.ended : 0;
  if (!stopping) throw new MeshError("daemon_unreachable", "The daemon has ended.", "See `claudemesh logs`.");
  if (!json) process.stdout.write("stopped; no process is left\n");
  process.exitCode = code;
}

function banner(name: string, broker: string | null, already: boolean): string {
  return [
    `${paint("bold", "claudemesh")} ${VERSION}: ${name}, ${broker ? `broker at ${broker}` : "no broker yet"}`,
    already
      ? "The daemon was running already; Ctrl-C ends this view, not the daemon."
      : "Ctrl-C stops everything.",
    "",
    "Try, in another terminal:",
    '  ./bin/claudemesh send me "hello, mesh"     a note to yourself; it shows up below',
    "  ./bin/claudemesh workspace create acme     a workspace to share",
    "  ./bin/claudemesh invite create             a link that lets a colleague in",
    "",
  ].join("\n");
}

async function showCheck({ json, print }: Context, { daemon }: DaemonClient): Promise<void> {
  try {
    const check = await daemon.daemon.selfCheck({});
    const hops = check.hops
      .map(({ hop, us }) => `  ${(us / 1000).toFixed(2).padStart(7)} ms  ${hop}`)
      .join("\n");
    print(
      { type: "selfCheck", ...check },
      `self-check: one message through everything in ${(check.totalUs / 1000).toFixed(2)} ms\n${hops}\n`,
    );
  } catch (error) {
    const why = error instanceof MeshError ? error.message : String(error);
    if (!json) print(null, `${paint("yellow", "self-check failed")}: ${why}\n`);
  }
}

function feedLine(event: FeedEvent): string {
  const at = paint("dim", clock(event.at));
  switch (event.type) {
    case "message":
      return messageLine(event.message);
    case "link":
      return event.state === "connecting" ? "" : `  ${at} ${event.workspace} is ${event.state}`;
    case "peer":
      return `  ${at} ${safe(event.name)} is ${event.online ? "online" : "away"} in ${event.workspace}`;
    case "typing":
      return `  ${at} ${safe(event.name)} writes to ${safe(event.to)}`;
    case "notice":
      return noticeLine(event.notice);
  }
}
