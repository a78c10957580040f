// The unit's command line, environment and restarts where there is no systemd: under a small supervisor.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { specHere } from "#install/service/here.ts";
import { unitText } from "#install/service/unit.ts";
import { end } from "./ending.ts";
import type { Person } from "./person.ts";
import { supervise } from "./supervisor.ts";
import { eventually } from "./waiting.ts";
import { createWorld } from "./world.ts";

/** Nothing but what every service has: PATH and home are the unit's to say. */
function superviseDaemonOf({ home, env }: Person) {
  const unit = unitText({ ...specHere(home, "systemd"), steps: true });
  return supervise(unit, { HOME: env.HOME ?? "", USER: "tester" });
}

async function answers(person: Person): Promise<number | null> {
  const { code, stdout } = await person.run(["status", "--no-start", "--json"]);
  return code === 0 ? JSON.parse(stdout).daemon.pid : null;
}

test("the daemon is what the unit starts; killed, it comes back; by down it stays down", async () => {
  const alice = await createWorld().person("alice", null, ["--name", "alice", "--no-broker"]);
  await alice.ok("down");
  const service = superviseDaemonOf(alice);
  const before = await eventually(() => answers(alice), "the daemon");
  expect(before).toBe(service.pid());
  end(before);
  const after = await eventually(async () => {
    const pid = await answers(alice);
    return pid !== before && pid;
  }, "its return");
  expect(after).toBe(service.pid());
  expect(await alice.ok("down")).toEqual({ stopped: true });
  await service.down;
  expect(service.endings).toEqual(["SIGKILL", 0]);
});

test("a daemon that runs already isn't fought with, and what a restart can't mend isn't tried again", async () => {
  const alice = await createWorld().person("alice", null, ["--name", "alice", "--no-broker"]);
  const second = superviseDaemonOf(alice);
  await second.down;
  expect(second.endings).toEqual([0]);
  await alice.ok("down");
  writeFileSync(join(alice.home, "config.json"), "{");
  const broken = superviseDaemonOf(alice);
  await broken.down;
  expect(broken.endings).toEqual([9]);
});
