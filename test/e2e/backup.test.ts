import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { launcherPath } from "#adapters/start-daemon.ts";
import { openSqliteStore } from "#broker/adapters/sqlite-store.ts";
import { fillLog, foundWorkspace, helloOf, openSocket } from "#test/crowd.ts";
import { createWorld } from "./world.ts";

/** Runs it to its end; answers the exit code and the JSON that it printed, wherever. */
async function brokerVerb(...args: string[]) {
  const child = spawn(launcherPath, ["broker", "--json", ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let printed = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      printed += chunk;
    });
  }
  const [code] = await once(child, "close");
  return { code, said: JSON.parse(printed) };
}

test("a broker is backed up while it runs; restored elsewhere it is another log with what was in the backup", async () => {
  const world = createWorld();
  const broker = await world.broker();
  const store = openSqliteStore(join(broker.data, "broker.db"));
  const { devices, head, logId } = await foundWorkspace(store, "acme", 1);
  const [device] = devices;
  if (!device) throw new Error("there is one");
  await fillLog(store, device, head, { count: 10, bytes: 300 });

  const file = join(world.folder, "backup.db");
  expect(await brokerVerb("--backup", file, "--data", broker.data)).toEqual({
    code: 0,
    said: { backup: file },
  });
  await fillLog(store, device, head + 10, { count: 10, bytes: 300 });
  await store.close();
  expect(await brokerVerb("--backup", file, "--data", broker.data)).toMatchObject({ code: 6 });
  expect(await brokerVerb("--restored", "--data", broker.data)).toMatchObject({
    code: 6,
    said: { error: { code: "conflict" } },
  });

  const data = join(world.folder, "restored");
  mkdirSync(data);
  renameSync(file, join(data, "broker.db"));
  expect(await brokerVerb("--restored", "--data", data)).toEqual({ code: 0, said: { workspaces: 1 } });
  const restored = await world.broker(undefined, { data });
  const socket = await openSocket(restored.url);
  const { nonce } = await socket.next("challenge");
  // A device that knows the old log, and more of it than there is now, begins anew.
  socket.ws.send(await helloOf(restored.url, device, String(nonce), { logId, cursor: head + 20 }));
  const ack = await socket.next("hello_ack");
  expect(ack.head).toBe(head + 10);
  expect(ack.logId).not.toBe(logId);
  await socket.next("heartbeat");
  expect(socket.records()).toBe(head + 10);
});
