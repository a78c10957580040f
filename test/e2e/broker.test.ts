import { spawn } from "node:child_process";
import { once } from "node:events";
import { lstatSync, writeFileSync } from "node:fs";
import { expect, onTestFinished, test } from "vitest";
import { launcherPath } from "#adapters/start-daemon.ts";
import { firstLine } from "./waiting.ts";
import { createWorld } from "./world.ts";

async function refusal(...args: string[]) {
  const child = spawn(launcherPath, ["broker", "--json", ...args], { stdio: ["ignore", "ignore", "pipe"] });
  let stderr = "";
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  const [code] = await once(child, "close");
  return { exit: code, code: JSON.parse(stderr).error.code };
}

test("a broker tells that it is well, knows invites by code, and answers a browser with nothing", async () => {
  const world = createWorld();
  const broker = await world.broker();
  const alice = await world.person("alice", broker);
  await alice.ok("workspace", "create", "acme");
  const { code } = await alice.ok("invite", "create", "--workspace", "acme");
  const get = async (path: string) => {
    const response = await fetch(broker.url + path);
    return { status: response.status, body: await response.json() };
  };
  expect(await get("/health")).toMatchObject({ status: 200, body: { ok: true, connections: 2 } });
  expect(await get(`/v1/invites/${code}`)).toMatchObject({
    status: 200,
    body: { workspace: expect.any(String) },
  });
  expect(await get("/v1/invites/AAAAAAAA")).toMatchObject({
    status: 404,
    body: { error: { code: "invite_not_found" } },
  });
  expect(await get("/anything")).toMatchObject({ status: 404 });
  expect(lstatSync(broker.data).mode & 0o777).toBe(0o700);
  await expect(
    fetch(broker.url, {
      headers: { origin: "http://page.test", connection: "upgrade", upgrade: "websocket" },
    }),
  ).rejects.toThrow();
});

test("a broker that can't run says why, with the right code", async () => {
  const world = createWorld();
  const broker = await world.broker();
  expect(await refusal("--port", "0", "--data", broker.data)).toEqual({ exit: 6, code: "conflict" });
  expect(await refusal("--port", String(broker.port), "--data", `${world.folder}/other`)).toEqual({
    exit: 6,
    code: "conflict",
  });
  expect(await refusal("--port", "99999", "--data", `${world.folder}/other`)).toEqual({
    exit: 2,
    code: "usage",
  });
  expect(await refusal("--bogus")).toEqual({ exit: 2, code: "usage" });
});

test("SIGTERM ends a broker cleanly", async () => {
  const { folder } = createWorld();
  const child = spawn(launcherPath, ["broker", "--json", "--port", "0", "--data", `${folder}/b`], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await firstLine(child);
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  expect((await exited)[0]).toBe(0);
});

test("a broker tells its numbers to this machine, and to whoever has the token", async () => {
  const world = createWorld();
  const token = "0123456789abcdef0123456789abcdef";
  writeFileSync(`${world.folder}/token`, `${token}\n`);
  const metrics = async (url: string, headers: Record<string, string> = {}) => {
    const response = await fetch(`${url}/metrics`, { headers });
    return { status: response.status, text: await response.text() };
  };
  const plain = await world.broker();
  const alice = await world.person("alice", plain);
  await alice.ok("workspace", "create", "acme");
  const { status, text } = await metrics(plain.url);
  expect(status).toBe(200);
  expect(text).toMatch(/^claudemesh_connections [12]$/m);
  expect(text).toMatch(/^claudemesh_committed_records_total [1-9]/m);
  expect(text).not.toContain((await alice.ok("whoami")).userId);

  const proxied = await startBroker(world.folder, "proxied", ["--public-url", "https://mesh.test"]);
  expect(await metrics(proxied)).toMatchObject({ status: 404 });
  const flags = ["--public-url", "https://mesh.test", "--metrics-token-file", `${world.folder}/token`];
  const open = await startBroker(world.folder, "open", flags);
  expect(await metrics(open)).toMatchObject({ status: 404 });
  expect(await metrics(open, { authorization: `Bearer ${token}` })).toMatchObject({ status: 200 });

  writeFileSync(`${world.folder}/token`, "short");
  const short = [
    "--port",
    "0",
    "--data",
    `${world.folder}/s`,
    "--metrics-token-file",
    `${world.folder}/token`,
  ];
  expect(await refusal(...short)).toEqual({ exit: 2, code: "usage" });
});

/** Another broker with these flags, ended with the test; answers where it listens. */
async function startBroker(folder: string, name: string, flags: readonly string[]): Promise<string> {
  const args = ["broker", "--json", "--port", "0", "--data", `${folder}/${name}`, ...flags];
  const child = spawn(launcherPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  return `http://127.0.0.1:${JSON.parse(await firstLine(child)).port}`;
}
