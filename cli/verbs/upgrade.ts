/** upgrade: a newer version, where this copy knows how; the service and the daemon follow */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { homePath, socketPath } from "#adapters/home.ts";
import { VERSION } from "#adapters/version.ts";
import { ERRORS, MeshError } from "#protocol/errors.ts";
import type { Context, Verb } from "../verb.ts";

const START_LIMIT_MS = 30_000;

export const upgrade: Verb = {
  name: "upgrade",
  group: "daemon",
  options: {
    "in-place": {
      type: "boolean",
      about: "the files are new already: only the service and the daemon follow",
    },
  },
  summary: "fetch a newer version, or say how; the service and the daemon follow",
  examples: ["claudemesh upgrade", "claudemesh upgrade --in-place"],
  local: true,
  async run(context) {
    if (process.env.CLAUDEMESH_SOCKET)
      throw new MeshError(
        "usage",
        "CLAUDEMESH_SOCKET says that the daemon is elsewhere.",
        "Upgrade it where it runs.",
      );
    const { pull, thisCopy } = await import("#install/upgrade.ts");
    const copy = thisCopy();
    if (context.options["in-place"] === true) return follow(context);
    const { kind, root, command } = copy;
    const facts = { kind, root, version: VERSION, command, upgraded: false, daemon: null };
    if (kind !== "checkout") {
      // A name in a registry is nobody's for certain: what is fetched by it is for the person to decide.
      const how = command
        ? `run\n  ${command.map(quoted).join(" ")}`
        : "install the newer one as you did this";
      context.print(
        facts,
        `claudemesh ${VERSION} in ${root}. To upgrade it, ${how}\nThe next verb then replaces the daemon.`,
      );
    } else if (await context.waiting("fetching", pull(copy))) {
      await goOnInNewer(context);
    } else {
      context.print(facts, `claudemesh ${VERSION} in ${root}: there is nothing newer.`);
    }
  },
};

/** What was just fetched knows best what is to be done. */
async function goOnInNewer({ json, quiet }: Context): Promise<void> {
  const { launcherPath } = await import("#adapters/start-daemon.ts");
  const flags = [...(json ? ["--json"] : []), ...(quiet ? ["--quiet"] : [])];
  const child = spawn(launcherPath, ["upgrade", "--in-place", ...flags], { stdio: "inherit" });
  const [code] = await once(child, "exit");
  process.exitCode = Number(code ?? ERRORS.unexpected.exit);
}

/** The daemon is replaced whatever its number: in a checkout, new code may have the old one. */
async function follow({ print, note, waiting }: Context): Promise<void> {
  const { thisCopy } = await import("#install/upgrade.ts");
  const { mendService } = await import("#install/service/checks.ts");
  const { endDaemon } = await import("#install/service/service.ts");
  const { startDaemon } = await import("#adapters/start-daemon.ts");
  const { connectDaemon } = await import("#adapters/daemon-client.ts");
  for (const repair of await mendService()) note(repair);
  const replace = async () => {
    await endDaemon(homePath());
    return startDaemon([], { attached: false, limitMs: START_LIMIT_MS, own: true });
  };
  const { remark } = await waiting("replacing the daemon", replace());
  if (remark?.name === "service trouble") note(remark.text);
  const client = await connectDaemon(socketPath(homePath()), { client: "cli", version: VERSION });
  const daemon = await client.welcome;
  client.close();
  const { kind, root, command } = thisCopy();
  print(
    { kind, root, version: VERSION, command, upgraded: true, daemon },
    `claudemesh ${VERSION} in ${root}; the daemon is ${daemon.version}, pid ${daemon.pid}.`,
  );
}

function quoted(word: string): string {
  return /^[\w@/.,:=+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
