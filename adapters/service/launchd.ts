/** launchd's agents of this user, through launchctl. */
import { homedir, userInfo } from "node:os";
import { join } from "node:path";
import { MeshError } from "#protocol/errors.ts";
import type { Absent, Run, ServiceManager, ServiceState } from "./manager.ts";
import { serviceName } from "./spec.ts";

/** launchctl's own code for a service that isn't loaded. */
const NOT_LOADED = 113;

export async function launchd(home: string, run: Run): Promise<ServiceManager | Absent> {
  const domain = `gui/${userInfo().uid}`;
  if ((await run("launchctl", ["print", domain])).code !== 0)
    return { absent: "nobody is logged in at this Mac's screen, and launchd keeps agents only then" };
  const name = serviceName(home);
  const target = `${domain}/${name}`;
  const path = join(homedir(), "Library", "LaunchAgents", `${name}.plist`);
  const ask = async (...args: string[]) => {
    const { code, said } = await run("launchctl", args);
    if (code === 0) return said;
    throw new MeshError(
      "daemon_unreachable",
      `launchctl ${args.join(" ")}: ${said.split("\n")[0] || `code ${code}`}`,
      `See \`launchctl print ${target}\`, or run claudemesh doctor.`,
    );
  };
  /** Null while it isn't loaded. */
  const printed = async () => {
    const { code, said } = await run("launchctl", ["print", target]);
    return code === 0 ? said : null;
  };
  const isDisabled = async () => {
    const { said } = await run("launchctl", ["print-disabled", domain]);
    return new RegExp(`"${name}" => (disabled|true)`).test(said);
  };
  const unload = async () => {
    const { code } = await run("launchctl", ["bootout", target]);
    if (code !== 0 && code !== NOT_LOADED && (await printed()) !== null) await ask("bootout", target);
  };
  const load = async () => {
    if ((await printed()) === null) await ask("bootstrap", domain, path);
  };
  return {
    kind: "launchd",
    name,
    path,
    state: async () => readState(await printed(), !(await isDisabled())),
    async start() {
      await load();
      await ask("kickstart", target);
    },
    // Loaded, an agent that has failed would come back.
    stop: unload,
    async enable() {
      await ask("enable", target);
      await unload();
      await load();
    },
    disable: unload,
    // What is loaded keeps to the file that it was loaded from.
    async reload() {
      await unload();
    },
  };
}

function readState(said: string | null, enabled: boolean): ServiceState {
  if (said === null) return { state: "stopped", pid: null, enabled, ending: "" };
  const field = (name: string) => new RegExp(`^\\s*${name} = (.*)$`, "m").exec(said)?.[1] ?? "";
  const pid = Number(field("pid"));
  const code = Number.parseInt(field("last exit code"), 10);
  const failed = code > 0;
  const running = field("state") === "running" && pid > 0;
  // launchd takes its time between two starts, also when it is told to.
  const starting = field("state").startsWith("spawn");
  return {
    state: running ? "running" : failed ? "waiting" : starting ? "starting" : "stopped",
    pid: running ? pid : null,
    enabled,
    ending: failed ? `it ended with code ${code}` : "",
  };
}
