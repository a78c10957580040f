import { spawn } from "node:child_process";
import { once } from "node:events";
import { lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, onTestFinished, test } from "vitest";
import { launcherPath } from "#adapters/start-daemon.ts";
import { personAt } from "./person.ts";
import { createWorld } from "./world.ts";

/** Processes whose environment names that home, this one's children included. */
function processesOf(home: string): string[] {
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, "latin1").split("\0").includes(`CLAUDEMESH_HOME=${home}`);
      } catch {
        return false;
      }
    });
}

test("up --foreground checks itself, shows the feed, and Ctrl-C, even twice, leaves no process behind", async () => {
  const { folder } = createWorld();
  const home = join(folder, "front");
  const child = spawn(launcherPath, ["up", "--foreground", "--name", "front"], {
    // stdin is at its end at once: that stops nothing.
    stdio: ["ignore", "pipe", "inherit"],
    env: { PATH: process.env.PATH ?? "", HOME: folder, CLAUDEMESH_HOME: home },
  });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  const seen: string[] = [];
  const lines = createInterface({ input: child.stdout });
  const line = (wanted: string) =>
    new Promise<void>((resolve) => {
      const look = () => seen.some((one) => one.includes(wanted)) && resolve();
      lines.on("line", look);
      look();
    });
  lines.on("line", (text) => seen.push(text));
  await line("self-check: one message through everything");
  expect(seen.filter((text) => text.includes("./bin/claudemesh "))).toHaveLength(3);
  expect(seen.some((text) => text.includes("committed by the broker"))).toBe(true);
  const person = personAt(home, folder);
  await person.ok("send", "me", "hello, feed");
  await line("hello, feed");
  expect(processesOf(home).length).toBeGreaterThanOrEqual(3);

  const exited = once(child, "exit");
  child.kill("SIGINT");
  child.kill("SIGINT");
  expect((await exited)[0]).toBe(0);
  expect(processesOf(home)).toEqual([]);
});

test("home and socket are the owner's alone; what lies in the way is refused, not removed", async () => {
  const world = createWorld();
  const alice = await world.person("alice", null, ["--no-broker"]);
  expect(lstatSync(alice.home).mode & 0o777).toBe(0o700);
  expect(lstatSync(join(alice.home, "daemon.sock")).mode & 0o777).toBe(0o600);
  expect(lstatSync(join(alice.home, "keys", "identity")).mode & 0o777).toBe(0o600);
  await alice.ok("down");
  writeFileSync(join(alice.home, "daemon.sock"), "mine");
  expect(await alice.fails(7, ["up"])).toMatchObject({ code: "refused" });
  expect(readFileSync(join(alice.home, "daemon.sock"), "utf8")).toBe("mine");

  const real = join(world.folder, "real");
  mkdirSync(real);
  symlinkSync(real, join(world.folder, "link"));
  expect(await personAt(join(world.folder, "link"), world.folder).fails(7, ["up"])).toMatchObject({
    code: "refused",
  });
});

test("a verb starts the daemon, two at once start one, and --no-start starts none", async () => {
  const world = createWorld();
  const cold = await world.person("cold", null, ["--no-broker"]);
  await cold.ok("down");
  expect(await cold.fails(3, ["status", "--no-start"])).toMatchObject({ code: "daemon_unreachable" });
  const [one, two] = await Promise.all([cold.ok("status"), cold.ok("status")]);
  expect(one.daemon.pid).toBe(two.daemon.pid);
  expect(await cold.ok("up")).toMatchObject({ daemon: { pid: one.daemon.pid } });
});

test("where no service manager runs, a verb that starts the daemon says so once in a home's life, and never in JSON", async () => {
  const world = createWorld();
  const alice = await world.person("alice", null, ["--name", "alice", "--no-broker"]);
  await alice.ok("down");
  expect((await alice.run(["status", "--json"])).stderr).toBe("");
  await alice.ok("down");
  expect((await alice.run(["status"])).stderr).toMatch(/^No service keeps the daemon running: .*\n$/);
  await alice.ok("down");
  expect((await alice.run(["status"])).stderr).toBe("");
});

test("a frozen daemon hangs no verb: code 8 in time", async () => {
  const world = createWorld();
  const alice = await world.person("alice", null, ["--no-broker"]);
  const pid = await alice.daemonPid();
  process.kill(pid, "SIGSTOP");
  try {
    expect(await alice.fails(8, ["peers", "--timeout", "300ms"])).toMatchObject({ code: "timeout" });
  } finally {
    process.kill(pid, "SIGCONT");
  }
});

test("a reader that goes away early is no error", async () => {
  const world = createWorld();
  const alice = await world.person("alice", null, ["--no-broker"]);
  const child = spawn("sh", ["-c", `"${launcherPath}" help | true; "${launcherPath}" peers --json | true`], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { PATH: process.env.PATH ?? "", HOME: world.folder, CLAUDEMESH_HOME: alice.home },
  });
  let stderr = "";
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  await once(child, "close");
  expect(stderr).toBe("");
});
