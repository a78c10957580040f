/** What doctor says of the service: each state it can be in, and what to do about it. */
import { accessSync, constants, existsSync, readFileSync, realpathSync } from "node:fs";
import { userInfo } from "node:os";
import { homePath } from "#adapters/home.ts";
import { findManager, type ServiceManager, type ServiceState } from "#adapters/service/manager.ts";
import { readSpec, type ServiceSpec } from "#adapters/service/spec.ts";
import { answering } from "#adapters/service/start.ts";
import { launcherPath } from "#adapters/start-daemon.ts";
import { VERSION } from "#adapters/version.ts";
import { errorShape } from "#protocol/errors.ts";
import type { Check } from "#protocol/features/daemon.ts";
import { serviceText, specHere } from "./here.ts";
import { renewService } from "./service.ts";

export async function serviceChecks(): Promise<Check[]> {
  const home = homePath();
  try {
    const manager = await findManager(home);
    if ("absent" in manager)
      return [told(`none: ${manager.absent}. Verbs start the daemon when they need it.`)];
    if (!existsSync(manager.path))
      return [told("not installed; `install` has the daemon start at login, and again when it fails")];
    const spec = readSpec(readFileSync(manager.path, "utf8"));
    if (spec === null) return [fileCheck(manager, spec)];
    const state = await manager.state();
    const running = runningCheck(manager, state, await answering(home));
    return [fileCheck(manager, spec), enabledCheck(state), running, ...bootChecks(manager)];
  } catch (error) {
    const { message, hint } = errorShape(error);
    return [wrong("service", message, hint || "Look at the service manager.")];
  }
}

/** Mends what is safe to mend, and says what it did: never an installation that nobody asked for. */
export async function mendService(): Promise<string[]> {
  try {
    const manager = await findManager(homePath());
    if ("absent" in manager || !existsSync(manager.path)) return [];
    const spec = readSpec(readFileSync(manager.path, "utf8"));
    if (spec === null) return [];
    const renewed = await renew(manager, spec);
    if ((await manager.state()).enabled) return renewed;
    await manager.enable();
    return [...renewed, `enabled ${manager.name}`];
  } catch (error) {
    return [`couldn't mend the service: ${errorShape(error).message}`];
  }
}

/** What an older version wrote keeps its PATH: who updates may have a poorer one. */
async function renew(manager: ServiceManager, spec: ServiceSpec): Promise<string[]> {
  const fresh = specHere(homePath(), manager.kind);
  if (whyUseless(spec) !== null) return [await renewService(manager, fresh)];
  if (!isOlder(manager, spec)) return [];
  return [await renewService(manager, { ...fresh, environment: spec.environment })];
}

function fileCheck(manager: ServiceManager, spec: ServiceSpec | null): Check {
  if (spec === null)
    return wrong("service", `${manager.path} isn't claudemesh's.`, "Move it away, then claudemesh install.");
  const useless = whyUseless(spec);
  if (useless !== null) return wrong("service", useless, "claudemesh doctor --fix");
  if (!isThisCopy(spec)) {
    const detail = `It starts another copy of claudemesh, ${spec.launcher}.`;
    return wrong("service", detail, `To have this one instead: ${launcherPath} install`);
  }
  if (isOlder(manager, spec))
    return wrong("service", `${manager.path} was written by ${spec.version}.`, "claudemesh doctor --fix");
  if (isEdited(manager, spec))
    return told(`${manager.path}, changed by hand; what is yours is safer in a drop-in`);
  return fine("service", manager.path);
}

/** Null while what it starts can be started. */
function whyUseless({ launcher }: ServiceSpec): string | null {
  try {
    accessSync(launcher, constants.X_OK);
    return null;
  } catch {
    return `It starts ${launcher}, which has gone or can't be run.`;
  }
}

/** This copy's own, from before it was updated, and saying something else than it would now. */
function isOlder(manager: ServiceManager, spec: ServiceSpec): boolean {
  return isThisCopy(spec) && spec.version !== VERSION && isEdited(manager, spec);
}

function isThisCopy({ launcher }: ServiceSpec): boolean {
  return realpathSync(launcher) === realpathSync(launcherPath);
}

/** Whether this version would have written something else of the same spec. */
function isEdited(manager: ServiceManager, spec: ServiceSpec): boolean {
  return readFileSync(manager.path, "utf8") !== serviceText(manager, spec);
}

function enabledCheck({ enabled }: ServiceState): Check {
  return enabled
    ? fine("service enabled", "starts at login")
    : wrong("service enabled", "It doesn't start at login.", "claudemesh doctor --fix");
}

/** `answers`: the pid of the daemon at the socket. */
function runningCheck(
  { kind, name }: ServiceManager,
  { state, pid, ending }: ServiceState,
  answers: number | null,
): Check {
  const see =
    kind === "systemd" ? `systemctl --user status ${name}` : `launchctl print gui/${userInfo().uid}/${name}`;
  switch (state) {
    case "running":
      return fine("service running", `pid ${pid}`);
    case "starting":
      return told("it is being started, or stopped", "service running");
    case "stopped":
      return answers === null
        ? told("stopped; the next verb starts it", "service running")
        : told(
            `stopped, as the daemon, pid ${answers}, runs without it; \`claudemesh down\`, then \`up\`, gives it to the service`,
            "service running",
          );
    case "waiting":
      return wrong(
        "service running",
        `It fails, and is started again after a while: ${ending}.`,
        `claudemesh logs; ${see}`,
      );
    case "failed":
      return wrong(
        "service running",
        `It has failed: ${ending}.`,
        `claudemesh doctor --fix starts it; claudemesh logs; ${see}`,
      );
  }
}

/** A user's services begin with the first login and end with the last logout, unless the user lingers. */
function bootChecks({ kind }: ServiceManager): Check[] {
  if (kind !== "systemd") return [];
  const lingers = existsSync(`/var/lib/systemd/linger/${userInfo().username}`);
  return [
    lingers
      ? fine("service at boot", "starts with the machine, and stays after you log out")
      : told(
          "starts when you log in, and ends when you log out; `loginctl enable-linger` has it start with the machine and stay",
          "service at boot",
        ),
  ];
}

function fine(name: string, detail: string): Check {
  return { name, ok: true, detail, fix: null };
}

function wrong(name: string, detail: string, fix: string): Check {
  return { name, ok: false, detail, fix };
}

/** Neither well nor wrong: how it is. */
function told(detail: string, name = "service"): Check {
  return { name, ok: null, detail, fix: null };
}
