import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { encodeSocketFrame } from "#protocol/socket.ts";
import type { Person } from "./person.ts";
import { HELLO, type Raw, rawConnection, shout } from "./raw-socket.ts";
import { eventually } from "./waiting.ts";
import { createWorld, type World } from "./world.ts";

const MIB = 1024 * 1024;
/** Of the daemon's memory, whatever is done to it: its own limits together, and what a collector leaves lying about. */
const GROWTH_MIB = 400;

const request = (id: number, method: string, params: unknown = {}) =>
  encodeSocketFrame({ type: "request", data: { id, method, params } });

async function victim(world: World) {
  const alice = await world.person("alice", null, ["--name", "alice", "--no-broker"]);
  const { pid, socket } = (await alice.ok("status")).daemon;
  return { alice, pid, socket };
}

/** The most memory that the process ever had, in MiB; 0 where the system doesn't tell. */
function peakMemory(pid: number): number {
  if (process.platform !== "linux") return 0;
  const [, kib] = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kib) / 1024;
}

/** While `attack` runs, others are served: on a connection from before, on new ones, by verbs. */
async function othersGoOn(alice: Person, attack: () => Promise<unknown>): Promise<void> {
  const before = await alice.client();
  let attacking = true;
  const attacked = attack().finally(() => {
    attacking = false;
  });
  attacked.catch(() => {});
  for (let served = 0; attacking || served === 0; served++) {
    expect((await before.daemon.account.whoami({})).name).toBe("alice");
    const { id } = await alice.ok("send", "me", "a note");
    expect((await alice.ok("message", "status", id)).id).toBe(id);
  }
  before.close();
  await attacked;
}

test("another user of the machine gets in neither by the folder nor by the socket", async (context) => {
  if (process.getuid?.() !== 0) return context.skip("only root can become another user");
  const world = createWorld();
  const { alice, socket } = await victim(world);
  const asNobody = () => {
    const program = `require("node:net").connect(process.argv[1]).on("connect",()=>{console.log("in");process.exit()}).on("error",(e)=>console.log(e.code))`;
    const args = [
      "--reuid=65534",
      "--regid=65534",
      "--clear-groups",
      process.execPath,
      "-e",
      program,
      socket,
    ];
    return spawnSync("setpriv", args, { encoding: "utf8", cwd: "/" }).stdout.trim();
  };
  chmodSync(world.folder, 0o755); // the test's own folder is no part of the defence
  expect(asNobody()).toBe("EACCES");
  chmodSync(alice.home, 0o755);
  expect(asNobody()).toBe("EACCES");
  // The control: it is the modes that keep them out.
  chmodSync(socket, 0o666);
  expect(asNobody()).toBe("in");
  // And each start sets them right again.
  await alice.ok("down");
  await alice.ok("up");
  expect(asNobody()).toBe("EACCES");
});

test.each([
  ["a frame that never ends", () => Buffer.alloc(MIB, "x")],
  ["a text that never ends", () => Buffer.from(`{"type":"request","data":"${"y".repeat(MIB)}`)],
  ["noise", () => randomBytes(MIB)],
])("%s, a gigabyte of it, ends its connection after little of it", async (_, bytes) => {
  const { alice, pid, socket } = await victim(createWorld());
  const peak = peakMemory(pid);
  await othersGoOn(alice, async () => {
    for (const hello of [HELLO, ""]) {
      const attacker = rawConnection(socket);
      await attacker.write(hello);
      let written = 0;
      while (written < 1024 && (await attacker.write(bytes()))) written++;
      expect(written).toBeLessThan(64);
      await attacker.closed;
    }
  });
  expect(peakMemory(pid) - peak).toBeLessThan(GROWTH_MIB);
});

test.each([
  ["arrays", "["],
  ["objects", '{"a":'],
])("deep JSON of %s ends its connection before anything is built of it", async (_, level) => {
  const { alice, pid, socket } = await victim(createWorld());
  const peak = peakMemory(pid);
  const deep = `${HELLO}{"type":"request","data":${level.repeat(300_000)}\f`;
  await othersGoOn(alice, async () => {
    const said = await Promise.all(Array.from({ length: 20 }, () => shout(socket, deep)));
    for (const text of said) expect(text).toMatch(/bad_frame.*64 levels/);
  });
  expect(peakMemory(pid) - peak).toBeLessThan(GROWTH_MIB);
});

test("hundreds of halves of frames, and then silence: what is kept for them all together has an end", async () => {
  const { alice, pid, socket } = await victim(createWorld());
  const peak = peakMemory(pid);
  const half = `${HELLO}${request(1, "message.send", { to: "me", text: "z".repeat(1.5 * MIB) }).slice(0, -10)}`;
  const attackers: Raw[] = [];
  await othersGoOn(alice, async () => {
    for (let i = 0; i < 300; i++) {
      const attacker = rawConnection(socket);
      attackers.push(attacker);
      await attacker.write(half);
    }
  });
  await eventually(
    async () => attackers.filter((one) => !one.isOpen()).length > 100,
    "most of them to be ended",
  );
  expect(attackers.some((one) => one.isOpen())).toBe(true);
  expect(peakMemory(pid) - peak).toBeLessThan(GROWTH_MIB);
});

test("floods of requests are answered in turn, and those of others in between", async () => {
  const { alice, pid, socket } = await victim(createWorld());
  const peak = peakMemory(pid);
  const flood = Array.from({ length: 5000 }, (_, id) => request(id, "daemon.status")).join("");
  await othersGoOn(alice, async () => {
    const attackers = Array.from({ length: 5 }, () => rawConnection(socket));
    for (const attacker of attackers) attacker.write(HELLO + flood);
    await eventually(
      async () => attackers.every((one) => one.heard().includes('"id":4999')),
      "the answers of the flood",
      50_000,
    );
  });
  expect(peakMemory(pid) - peak).toBeLessThan(GROWTH_MIB);
});

test("readers that stop reading are heard no more, and cut off where a stream goes on", async () => {
  const world = createWorld();
  const { alice, pid, socket } = await victim(world);
  const { daemon, close } = await alice.client();
  const text = "t".repeat(200 * 1024);
  for (let i = 0; i < 20; i++) await daemon.message.send({ to: "me", text });
  const peak = peakMemory(pid);
  await othersGoOn(alice, async () => {
    // Each answer is 4 MB: after the first nobody reads.
    const askers = Array.from({ length: 10 }, () => rawConnection(socket, { reads: false }));
    const asks = Array.from({ length: 200 }, (_, id) => request(id, "message.inbox")).join("");
    for (const asker of askers) asker.write(HELLO + asks);
    const listener = rawConnection(socket, { reads: false });
    await listener.write(HELLO + request(1, "feed.open"));
    for (let i = 0; i < 150; i++) await daemon.message.send({ to: "me", text });
    listener.socket.resume();
    await listener.closed;
  });
  close();
  expect(peakMemory(pid) - peak).toBeLessThan(GROWTH_MIB);
});

test("thousands of connections that say nothing make room for one that does", async () => {
  const { alice, pid, socket } = await victim(createWorld());
  const peak = peakMemory(pid);
  const attackers: Raw[] = [];
  await othersGoOn(alice, async () => {
    for (let i = 0; i < 3000; i++) {
      const attacker = rawConnection(socket);
      attackers.push(attacker);
      if (i % 50 === 0) await attacker.write("{");
    }
  });
  await eventually(async () => attackers.filter((one) => one.isOpen()).length <= 512, "the first ones to go");
  expect(await alice.ok("peers")).toBeTruthy();
  expect(peakMemory(pid) - peak).toBeLessThan(GROWTH_MIB);
});

test("when all places are taken by clients in conversation, a verb is told so, and served once one has left", async () => {
  const { alice, socket } = await victim(createWorld());
  const crowd = Array.from({ length: 512 }, () => rawConnection(socket));
  await Promise.all(crowd.map((one) => one.write(HELLO)));
  await eventually(async () => crowd.every((one) => one.heard().includes("welcome")), "512 welcomes");
  expect(await alice.fails(8, ["peers"])).toMatchObject({ code: "busy" });
  crowd[0]?.socket.destroy();
  await eventually(async () => (await alice.run(["peers"])).code === 0, "a place");
});
