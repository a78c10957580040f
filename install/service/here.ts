/** The service as this copy would have it: its own launcher, and what of this environment the daemon is to have as well. */
import { execFileSync } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { delimiter, dirname, isAbsolute, join } from "node:path";
import type { ServiceManager } from "#adapters/service/manager.ts";
import { runtimeFolder } from "#adapters/service/manager.ts";
import type { ServiceSpec } from "#adapters/service/spec.ts";
import { launcherPath } from "#adapters/start-daemon.ts";
import { VERSION } from "#adapters/version.ts";
import { MeshError } from "#protocol/errors.ts";
import { agentText } from "./agent.ts";
import { STEPS_SINCE, unitText } from "./unit.ts";

/** Places, and nothing secret: the file is no secret. */
const KEPT = ["CLAUDE_CONFIG_DIR", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "SSL_CERT_DIR"];

/** @throws MeshError bad_data for a path that no such file can hold */
export function specHere(home: string, kind: ServiceManager["kind"]): ServiceSpec {
  const environment: Record<string, string> = { PATH: lastingPath() };
  if (home !== join(homedir(), ".claudemesh")) environment.CLAUDEMESH_HOME = home;
  for (const name of KEPT) {
    const value = process.env[name];
    if (value) environment[name] = value;
  }
  const spec = {
    version: VERSION,
    launcher: realpathSync(launcherPath),
    environment,
    steps: kind === "systemd" && hasSteps(),
  };
  const unfit = [spec.launcher, ...Object.values(environment)].find((text) => /\p{Cc}/u.test(text));
  if (unfit === undefined) return spec;
  throw new MeshError(
    "bad_data",
    `${JSON.stringify(unfit)} has a line break or the like in it, which no service file can hold.`,
    "Move it to another place, or install with --no-service.",
  );
}

export function serviceText(manager: Pick<ServiceManager, "kind" | "name">, spec: ServiceSpec): string {
  return manager.kind === "systemd" ? unitText(spec) : agentText(manager.name, spec);
}

/** What this shell finds its programs in, without what will have gone with it; the Node that runs this comes first. */
function lastingPath(): string {
  const passing = [realTmp(), runtimeFolder(), "/tmp"];
  const folders = (process.env.PATH ?? "").split(delimiter).filter((folder) => {
    const lasts = !passing.some((one) => folder === one || folder.startsWith(`${one}/`));
    return isAbsolute(folder) && lasts && !folder.includes("/node_modules/") && existsSync(folder);
  });
  const system = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"];
  return [...new Set([dirname(process.execPath), ...folders, ...system])].join(delimiter);
}

function realTmp(): string {
  return realpathSync(tmpdir());
}

/** False where it can't be told: that unit fits every systemd. */
function hasSteps(): boolean {
  try {
    const said = execFileSync("systemctl", ["--version"], { encoding: "utf8", timeout: 5000 });
    return Number(/^systemd (\d+)/.exec(said)?.[1]) >= STEPS_SINCE;
  } catch {
    return false;
  }
}
