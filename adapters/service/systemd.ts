/** systemd's manager of this user, through systemctl. */
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { MeshError } from "#protocol/errors.ts";
import { type Absent, type Run, runtimeFolder, type ServiceManager, type ServiceState } from "./manager.ts";
import { serviceName } from "./spec.ts";

const SHOWN = "LoadState,ActiveState,SubState,MainPID,Result,ExecMainStatus,UnitFileState";

export function systemd(home: string, run: Run): ServiceManager | Absent {
  // The manager's own socket: without it systemctl would have nobody to ask.
  if (!existsSync(join(runtimeFolder(), "systemd", "private")))
    return { absent: "there is no systemd of this user here" };
  const name = `${serviceName(home)}.service`;
  const ask = async (...args: string[]) => {
    const { code, said } = await run("systemctl", ["--user", ...args]);
    if (code === 0) return said;
    throw new MeshError(
      "daemon_unreachable",
      `systemctl --user ${args.join(" ")}: ${said.split("\n")[0] ?? `code ${code}`}`,
      `See \`systemctl --user status ${name}\`, or run claudemesh doctor.`,
    );
  };
  const state = async () => readState(await ask("show", name, "--property", SHOWN));
  return {
    kind: "systemd",
    name,
    path: join(homedir(), ".config", "systemd", "user", name),
    state,
    async start() {
      const { state: now } = await state();
      // A start would wait with it for its next try; and what has failed too often is refused until that is forgotten.
      if (now === "failed") await ask("reset-failed", name);
      await ask(now === "waiting" ? "restart" : "start", name);
    },
    async stop() {
      await ask("stop", name);
    },
    async enable() {
      await ask("daemon-reload");
      await ask("enable", "--quiet", name);
    },
    async disable() {
      await ask("disable", "--now", "--quiet", name);
    },
    async reload() {
      await ask("daemon-reload");
    },
  };
}

function readState(said: string): ServiceState {
  const of = Object.fromEntries(said.split("\n").map((line) => line.split(/=(.*)/s, 2)));
  const pid = Number(of.MainPID);
  return {
    state: stateOf(of.ActiveState, of.SubState),
    pid: pid > 0 ? pid : null,
    enabled: of.UnitFileState === "enabled",
    ending: of.LoadState === "loaded" ? endingOf(of.Result, of.ExecMainStatus) : `it is ${of.LoadState}`,
  };
}

function stateOf(active: string | undefined, sub: string | undefined): ServiceState["state"] {
  if (sub?.startsWith("auto-restart")) return "waiting";
  if (active === "failed") return "failed";
  if (active === "inactive") return "stopped";
  return active === "active" ? "running" : "starting";
}

function endingOf(result: string | undefined, status: string | undefined): string {
  switch (result) {
    case undefined:
    case "success":
      return "";
    case "exit-code":
      return status === "203" ? "its program can't be started (203)" : `it ended with code ${status}`;
    case "start-limit-hit":
      return "it ended too often in a short time";
    default:
      return `it ended by ${result} (${status})`;
  }
}
