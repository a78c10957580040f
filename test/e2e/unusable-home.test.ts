import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { expect, onTestFinished, type TestContext, test } from "vitest";
import { end, processesOf } from "./ending.ts";
import type { Person } from "./person.ts";
import { eventually } from "./waiting.ts";
import { createWorld } from "./world.ts";

/** A small file system of its own at `path`, gone with the test; skips where that can't be had. */
function mountSmall(context: TestContext, path: string, options: string): void {
  mkdirSync(path, { recursive: true });
  const { status, stderr } = spawnSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", path], {
    encoding: "utf8",
  });
  if (status !== 0) context.skip(`only root can mount a file system: ${stderr}`);
  onTestFinished(() => {
    for (const pid of processesOf(path)) end(pid);
    spawnSync("umount", ["-l", path]);
  });
}

/** Fills what is left, but for so many bytes. */
function fill(folder: string, leave: number): string {
  const file = join(folder, "filler");
  let size = 16 * 1024 * 1024;
  for (; size > 0; size = Math.floor(size / 2)) {
    try {
      writeFileSync(file, Buffer.alloc(size), { flag: "a" });
      size *= 2;
    } catch {
      // Then half of that.
    }
  }
  const { size: filled } = statSync(file);
  spawnSync("truncate", ["-s", String(Math.max(0, filled - leave)), file]);
  return file;
}

/** What it says when it can't start; and afterwards nothing of it runs. */
async function failsToStart(person: Person, code: number, ...flags: string[]) {
  const said = await person.fails(code, ["up", ...flags]);
  expect(said.message).not.toContain("inside claudemesh");
  expect(said.hint).toMatch(/\w/);
  await eventually(async () => processesOf(person.home).length === 0, "the end of what was started");
  return said;
}

test("a home that can't be written is named", async (context) => {
  const { folder, newcomer } = createWorld();
  mountSmall(context, join(folder, "alice"), "size=1m,ro");
  const alice = newcomer("alice");
  expect(await failsToStart(alice, 9)).toMatchObject({
    code: "bad_data",
    message: expect.stringContaining(alice.home),
  });
  mountSmall(context, join(folder, "ro"), "size=1m,ro");
  const deeper = newcomer("ro/deeper");
  expect(await failsToStart(deeper, 9)).toMatchObject({
    code: "bad_data",
    message: expect.stringContaining(deeper.home),
  });
});

test("a home that became read-only is named by up, and by doctor", async (context) => {
  const { folder, newcomer } = createWorld();
  mountSmall(context, join(folder, "alice"), "size=4m");
  const alice = newcomer("alice");
  await alice.ok("up", "--name", "alice", "--no-broker");
  await alice.ok("down");
  spawnSync("mount", ["-o", "remount,ro", alice.home]);
  expect(await failsToStart(alice, 9)).toMatchObject({ code: "bad_data" });
  const { code, stdout } = await alice.run(["doctor", "--json"]);
  expect(code).toBe(1);
  expect(JSON.parse(stdout).checks).toContainEqual(expect.objectContaining({ name: "disk", ok: false }));
});

test("on a disk that fills up at any point of the first start, up says so; with room again it is whole, as one person", async (context) => {
  const { folder, newcomer } = createWorld();
  mountSmall(context, join(folder, "alice"), "size=1m");
  const alice = newcomer("alice");
  const outcomes = new Set<string>();
  for (const kib of [0, 4, 12, 28, 60, 100, 160]) {
    const filler = fill(alice.home, kib * 1024);
    const { code, stderr } = await alice.run(["up", "--name", "alice", "--no-broker", "--json"]);
    outcomes.add(code === 0 ? "up" : JSON.parse(stderr).error.code);
    if (code === 0) await alice.run(["down"]);
    rmSync(filler);
    const names = readdirSync(alice.home, { recursive: true, encoding: "utf8" });
    expect(names.filter((name) => name.endsWith(".tmp"))).toEqual([]);
    if (names.includes("config.json")) JSON.parse(readFileSync(join(alice.home, "config.json"), "utf8"));
  }
  expect([...outcomes].filter((one) => one !== "up")).toEqual(["storage_full"]);
  await alice.ok("up");
  const { userId } = await alice.ok("whoami");
  await alice.ok("send", "me", "whole");
  await alice.ok("down");
  await alice.ok("up");
  expect((await alice.ok("whoami")).userId).toBe(userId);
  expect((await alice.ok("inbox")).messages).toMatchObject([{ text: "whole" }]);
});

test("a disk that fills up later refuses what would be lost, still shows what is there, and goes on with room", async (context) => {
  const { folder, newcomer } = createWorld();
  mountSmall(context, join(folder, "alice"), "size=3m");
  const alice = newcomer("alice");
  await alice.ok("up", "--name", "alice", "--no-broker");
  await alice.ok("send", "me", "before");
  const filler = fill(alice.home, 0);
  const text = "x".repeat(200_000);
  let refused: { code: string } | null = null;
  for (let i = 0; i < 20 && !refused; i++) {
    const { code, stderr } = await alice.run(["send", "me", "-", "--json"], { stdin: text });
    if (code !== 0) refused = JSON.parse(stderr).error;
  }
  expect(refused).toMatchObject({ code: "storage_full" });
  expect((await alice.ok("inbox")).messages[0]).toMatchObject({ text: "before" });
  expect((await alice.ok("status")).workspaces).toMatchObject([{ slug: "personal", trouble: null }]);
  rmSync(filler);
  await alice.ok("send", "me", "after");
  expect((await alice.ok("inbox")).messages.at(-1)).toMatchObject({ text: "after" });
});

test("a port that is in use is named, and not remembered", async () => {
  const world = createWorld();
  const taken = createServer().listen(0, "127.0.0.1");
  onTestFinished(() => void taken.close());
  await new Promise((resolve) => taken.once("listening", resolve));
  const address = taken.address();
  const port = String(typeof address === "object" && address ? address.port : 0);
  const alice = world.newcomer("alice");
  expect(await failsToStart(alice, 6, "--port", port)).toMatchObject({
    code: "conflict",
    message: expect.stringContaining("port is in use"),
  });
  expect(existsSync(join(alice.home, "config.json"))).toBe(false);
  const { broker } = await alice.ok("up", "--name", "alice");
  expect(broker.url).not.toContain(`:${port}`);
});

const isFile = (path: string) => {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(path, "mine");
};
const isFolder = (path: string) => void mkdirSync(join(path, "mine"), { recursive: true, mode: 0o700 });

test.each([
  ["", isFile, "bad_data", 9],
  ["keys", isFile, "bad_data", 9],
  ["logs", isFile, "bad_data", 9],
  ["workspaces", isFile, "bad_data", 9],
  ["sockets", isFile, "bad_data", 9],
  ["broker", isFile, "bad_data", 9],
  ["account.db", isFolder, "bad_data", 9],
  ["config.json", isFolder, "bad_data", 9],
  ["daemon.lock", isFolder, "bad_data", 9],
  ["daemon.sock", isFolder, "refused", 7],
  ["broker/broker.db", isFolder, "bad_data", 9],
] as const)(
  "what stands at %j and is the other of file and folder is named, and left as it is",
  async (name, make, code, exit) => {
    const alice = createWorld().newcomer("alice");
    const path = join(alice.home, name);
    make(path);
    const said = await failsToStart(alice, exit);
    expect(said.code).toBe(code);
    if (name !== "broker/broker.db") expect(said.message).toContain(path);
    if (make === isFile) expect(readFileSync(path, "utf8")).toBe("mine");
    else expect(existsSync(join(path, "mine"))).toBe(true);
  },
);
