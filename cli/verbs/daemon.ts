/** down, status, version */
import type { DaemonClient } from "#adapters/daemon-client.ts";
import { clientSocket, homePath } from "#adapters/home.ts";
import { VERSION } from "#adapters/version.ts";
import { paint, safe, table } from "../print.ts";
import type { Context, Verb } from "../verb.ts";

const down: Verb = {
  name: "down",
  group: "daemon",
  summary: "stop the daemon; nothing queued is lost",
  examples: ["claudemesh down"],
  async run({ connect, limited, print }) {
    limited();
    const { isGiven } = clientSocket();
    const stopped = await stopDaemon(connect);
    // One that has failed, and waits for its next try, would come back.
    const kept = isGiven ? false : await (await import("#adapters/service/stop.ts")).stopService(homePath());
    print(
      { stopped: stopped || kept },
      stopped || kept ? "The daemon has stopped." : "The daemon wasn't running.",
    );
  },
};

/** False when there was none. */
async function stopDaemon(connect: Context["connect"]): Promise<boolean> {
  let client: DaemonClient;
  try {
    client = await connect();
  } catch {
    return false;
  }
  await client.daemon.daemon.stop({});
  // The connection ends with the process, once broker, links and databases are closed.
  await client.closed;
  return true;
}

const status: Verb = {
  name: "status",
  group: "daemon",
  summary: "the daemon, the links, what is unread",
  examples: ["claudemesh status", "claudemesh status --json"],
  async run({ daemon, print }) {
    const client = await daemon();
    const found = await client.daemon.status({});
    const { pid, version, uptimeMs, socket, policy } = found.daemon;
    const rows = found.workspaces.map(({ slug, link, broker, outbox, unread, trouble }) => [
      `  ${slug}`,
      link,
      broker ?? "this machine only",
      `${unread} unread`,
      [outbox > 0 ? `${outbox} waiting to be sent` : "", trouble ?? ""].filter(Boolean).join(" · "),
    ]);
    const head = `${found.account.name} (${found.account.userId})\ndaemon ${version}, pid ${pid}, up ${Math.floor(uptimeMs / 1000)} s, ${socket}`;
    const wrong = policy?.trouble ? [paint("red", `your rules: ${safe(policy.trouble)}`)] : [];
    print(found, [head, ...wrong, table(rows)].join("\n"));
  },
};

const version: Verb = {
  name: "version",
  summary: "the version",
  examples: ["claudemesh version"],
  local: true,
  run: ({ print }) => print({ version: VERSION }, VERSION),
};

export const daemonVerbs = [status, down, version];
