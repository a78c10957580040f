// The calls of launchctl, against a stand-in that answers as launchctl(1) says and as macOS prints.
import { userInfo } from "node:os";
import { expect, test } from "vitest";
import { launchd } from "./launchd.ts";
import type { Run } from "./manager.ts";

const HOME = "/Users/alice/elsewhere";
const DOMAIN = `gui/${userInfo().uid}`;

/** One agent in a domain. `crash` ends its process; `done` with the code 0, as `down` has it end. */
function createLaunchctl(hasScreen = true) {
  let agent: { pid: number | null; code: string } | null = null;
  let starts = 0;
  let disabled = false;
  let label = "";
  const start = () => {
    agent = { pid: ++starts, code: agent?.code ?? "(never exited)" };
  };
  const done = { code: 0, said: "" };
  const missing = { code: 113, said: "Could not find service" };
  const commands: Record<string, (...args: string[]) => { code: number; said: string }> = {
    print(target = "") {
      if (!hasScreen) return { code: 125, said: "Domain does not support specified action" };
      if (target === DOMAIN) return { code: 0, said: "gui = {" };
      if (!agent) return missing;
      const state = agent.pid === null ? "not running" : "running";
      const pid = agent.pid === null ? "" : `\tpid = ${agent.pid}\n`;
      return {
        code: 0,
        said: `${target} = {\n\tstate = ${state}\n${pid}\tlast exit code = ${agent.code}\n}`,
      };
    },
    "print-disabled": () => ({ code: 0, said: `{\n\t"${label}" => ${disabled ? "disabled" : "enabled"}\n}` }),
    bootstrap(domain = "", path = "") {
      if (agent || disabled) return { code: 5, said: "Bootstrap failed: 5: Input/output error" };
      if (domain !== DOMAIN || !path.endsWith(".plist")) return { code: 64, said: "Usage" };
      start();
      return done;
    },
    bootout() {
      if (!agent) return { code: 3, said: "Boot-out failed: 3: No such process" };
      agent = null;
      return done;
    },
    kickstart() {
      if (!agent) return missing;
      if (agent.pid === null) start();
      return done;
    },
    enable(target = "") {
      disabled = false;
      label = target.split("/").at(-1) ?? "";
      return done;
    },
  };
  const run: Run = async (_, [verb = "", ...args]) =>
    commands[verb]?.(...args) ?? { code: 64, said: "Usage" };
  return {
    run,
    ended(code: string) {
      if (agent) agent = { pid: null, code };
    },
    disable: () => {
      disabled = true;
    },
    isLoaded: () => agent !== null,
  };
}

async function agentOf(launchctl: ReturnType<typeof createLaunchctl>) {
  const manager = await launchd(HOME, launchctl.run);
  if ("absent" in manager) throw new Error(manager.absent);
  return manager;
}

test("enabled it is loaded and runs; stopped it is out of launchd's hands until a start or the next login", async () => {
  const launchctl = createLaunchctl();
  const agent = await agentOf(launchctl);
  expect(agent.path).toMatch(/\/Library\/LaunchAgents\/claudemesh-[0-9a-f]{8}\.plist$/);
  expect(await agent.state()).toMatchObject({ state: "stopped", pid: null });
  await agent.enable();
  expect(await agent.state()).toEqual({ state: "running", pid: 1, enabled: true, ending: "" });
  await agent.stop();
  await agent.stop();
  expect(launchctl.isLoaded()).toBe(false);
  await agent.start();
  expect(await agent.state()).toMatchObject({ state: "running", pid: 2 });
});

test("an end with 0 is a stop, another one waits for its next try; a start is at once for both", async () => {
  const launchctl = createLaunchctl();
  const agent = await agentOf(launchctl);
  await agent.enable();
  launchctl.ended("0");
  expect(await agent.state()).toMatchObject({ state: "stopped", ending: "" });
  await agent.start();
  launchctl.ended("9");
  expect(await agent.state()).toMatchObject({ state: "waiting", ending: "it ended with code 9" });
  await agent.start();
  expect(await agent.state()).toMatchObject({ state: "running", pid: 3 });
});

test("one that was disabled by hand is shown so, and enabled again", async () => {
  const launchctl = createLaunchctl();
  const agent = await agentOf(launchctl);
  await agent.enable();
  await agent.stop();
  launchctl.disable();
  expect(await agent.state()).toMatchObject({ enabled: false });
  await expect(agent.start()).rejects.toMatchObject({ code: "daemon_unreachable" });
  await agent.enable();
  expect(await agent.state()).toMatchObject({ state: "running", enabled: true });
});

test("without anybody at the screen there is no manager", async () => {
  expect(await launchd(HOME, createLaunchctl(false).run)).toMatchObject({
    absent: expect.stringContaining("logged in"),
  });
});
