import ipc from "node-ipc";
import { expect, test } from "vitest";
import { createWorld } from "./world.ts";

test("node-ipc's own client speaks with the daemon's socket", async () => {
  const world = createWorld();
  const alice = await world.person("alice", null, ["--name", "alice", "--no-broker"]);
  const { daemon } = await alice.ok("status");
  Object.assign(ipc.config, { id: "test", silent: true, stopRetrying: true });
  const answers: unknown[] = [];
  await new Promise<void>((resolve) => {
    ipc.connectTo("mesh", daemon.socket, () => {
      const mesh = ipc.of.mesh;
      mesh?.on("welcome", (data) => answers.push(data));
      mesh?.on("response", (data) => {
        answers.push(data);
        resolve();
      });
      mesh?.on("connect", () => {
        mesh.emit("hello", { client: "other", version: "1" });
        mesh.emit("request", { id: 1, method: "account.whoami", params: {} });
      });
    });
  });
  ipc.disconnect("mesh");
  expect(answers).toMatchObject([{ pid: daemon.pid }, { id: 1, result: { name: "alice" } }]);
});
