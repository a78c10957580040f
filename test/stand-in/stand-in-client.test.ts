import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { eventually } from "#test/e2e/waiting.ts";
import { type StandIn, type StandInOptions, startStandIn } from "#test/stand-in-client.ts";

// An adapter that answers the handshake, and writes what it was started with beside itself.
const ADAPTER = `
require("node:fs").writeFileSync("adapter.json", JSON.stringify({ ...process.env, ppid: process.ppid }));
require("node:readline").createInterface({ input: process.stdin }).on("line", (line) => {
  const { id, method } = JSON.parse(line);
  if (method === "server/discover") console.log(JSON.stringify({ jsonrpc: "2.0", id, error: { code: -32601, message: "" } }));
  if (method === "initialize") console.log(JSON.stringify({ jsonrpc: "2.0", id, result: {} }));
});`;

async function start(more: Partial<StandInOptions> = {}, settings: object = {}) {
  const root = mkdtempSync(join(tmpdir(), "stand-in-"));
  onTestFinished(() => rmSync(root, { recursive: true, force: true, maxRetries: 5 }));
  const [folder, config] = [join(root, "payments"), join(root, "config")];
  mkdirSync(config);
  writeFileSync(join(config, "settings.json"), JSON.stringify(settings));
  const env = { PATH: process.env.PATH ?? "", HOME: root };
  const command = [process.execPath, "-e", ADAPTER] as const;
  const client = await startStandIn({ folder, config, env, command, ...more });
  const read = (path: string) => JSON.parse(readFileSync(path, "utf8"));
  return {
    client,
    folder,
    config,
    adapter: () => read(join(folder, "adapter.json")),
    file: () => read(join(config, "sessions", `${client.pid}.json`)),
    transcript: () =>
      readFileSync(client.transcriptPath(), "utf8")
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line)),
  };
}

type Post = { content: string; from?: string; msg_id?: string };

/** Over one connection, in that order. */
async function post({ socket }: StandIn, ...posts: readonly Post[]): Promise<void> {
  const lines = posts.map(({ content, ...more }) =>
    JSON.stringify({ type: "user", message: { role: "user", content }, priority: "next", ...more }),
  );
  const connection = connect(socket);
  await new Promise<void>((resolve) => connection.end(`${lines.join("\n")}\n`, () => resolve()));
}

const logging = (path: string) => [
  { hooks: [{ type: "command", command: `cat >> ${path}; echo >> ${path}` }] },
];

function logged(path: string) {
  const lines = existsSync(path) ? readFileSync(path, "utf8").trim().split("\n") : [];
  return lines.map((line) => JSON.parse(line));
}

test("the adapter finds its session in its environment, and the client is its parent", async () => {
  const { client, adapter, file, folder } = await start();
  expect(adapter()).toMatchObject({
    CLAUDE_CODE_SESSION_ID: client.sessionId(),
    CLAUDE_CODE_MESSAGING_SOCKET: client.socket,
    CLAUDE_PROJECT_DIR: folder,
    ppid: client.pid,
  });
  expect(file()).toMatchObject({ pid: client.pid, status: "idle", messagingSocketPath: client.socket });
});

test("without the inbox there is neither variable nor socket", async () => {
  const { client, adapter, file } = await start({ inbox: false });
  expect(adapter()).not.toHaveProperty("CLAUDE_CODE_MESSAGING_SOCKET");
  expect(file()).not.toHaveProperty("messagingSocketPath");
  expect(existsSync(client.socket)).toBe(false);
});

test("an idle session wakes; the transcript has the message as a turn's beginning", async () => {
  const { client, file, transcript } = await start();
  await post(client, { content: "wake up" });
  expect(await client.hears("wake up")).toMatch(/^Another Claude session sent a message:\nwake up\n/);
  await eventually(async () => file().status === "idle", "the turn's end");
  expect(transcript().map(({ type, operation }) => operation ?? type)).toEqual([
    "enqueue",
    "dequeue",
    "user",
    "assistant",
  ]);
  expect(transcript()[2]).toMatchObject({ isMeta: true, origin: { kind: "peer" }, parentUuid: null });
});

test("a busy one hears all that came, with the tool's result", async () => {
  const { client, file, transcript } = await start();
  const finish = await client.toolCall();
  expect(file().status).toBe("busy");
  await post(client, { content: "one." }, { content: "two." }, { content: "three." });
  await eventually(
    async () => transcript().filter(({ operation }) => operation === "enqueue").length === 3,
    "all",
  );
  expect(client.requests).toHaveLength(1);
  await finish();
  expect(client.requests[1]).toMatch(
    /tool result[\s\S]*while you were working:\none\.[\s\S]*two\.[\s\S]*three\./,
  );
  expect(transcript().find(({ type }) => type === "attachment").attachment).toMatchObject({
    type: "queued_command",
    prompt: "one.",
  });
  expect(file().status).toBe("idle");
});

test("at a dialog it waits for the person", async () => {
  const { client, file, transcript } = await start();
  const yes = await client.dialog();
  expect(file()).toMatchObject({ status: "waiting", waitingFor: "permission prompt" });
  await post(client, { content: "meanwhile" });
  await eventually(
    async () => transcript().some(({ operation }) => operation === "enqueue"),
    "it to be queued",
  );
  await yes();
  expect(client.requests.filter((text) => text.includes("meanwhile"))).toHaveLength(1);
});

test("after /clear there is another id, file and hook, at the same socket", async () => {
  const { client, config, adapter, file } = await start();
  const log = join(config, "hooks");
  writeFileSync(
    join(config, "settings.json"),
    JSON.stringify({ hooks: { SessionEnd: logging(log), SessionStart: logging(log) } }),
  );
  const before = client.sessionId();
  await client.clear();
  expect(logged(log)).toMatchObject([
    { hook_event_name: "SessionEnd", session_id: before, reason: "clear" },
    { hook_event_name: "SessionStart", session_id: client.sessionId(), source: "clear" },
  ]);
  expect(file().sessionId).toBe(client.sessionId());
  expect(adapter().CLAUDE_CODE_SESSION_ID).toBe(before);
  await post(client, { content: "still there?" });
  await client.hears("still there?");
});

test("the prompt's hook is told of what is typed and of each message alike, before the request", async () => {
  const { client, config } = await start({ permissionMode: "bypassPermissions" });
  const log = join(config, "hooks");
  writeFileSync(join(config, "settings.json"), JSON.stringify({ hooks: { UserPromptSubmit: logging(log) } }));
  await client.prompt("good morning");
  await post(client, { content: "from a peer" });
  await client.hears("from a peer");
  expect(logged(log)).toMatchObject([
    { prompt: "good morning", permission_mode: "bypassPermissions" },
    { prompt: "from a peer" },
  ]);
});

test("what a hook adds is in the request; one that waits wakes the session by ending with 2", async () => {
  const said = JSON.stringify({
    hookSpecificOutput: { hookEventName: "PostToolUse", additionalContext: "by the way" },
  });
  const { client, config } = await start();
  const [wait, asked] = [join(config, "wait"), join(config, "asked")];
  writeFileSync(
    wait,
    `#!/bin/sh\ntouch ${asked}\nwhile [ ! -e ${asked}.yes ]; do sleep 0.05; done\necho woken >&2\nexit 2\n`,
  );
  chmodSync(wait, 0o755);
  const hooks = {
    PostToolUse: [{ hooks: [{ type: "command", command: `echo '${said}'` }] }],
    Stop: [{ hooks: [{ type: "command", command: `[ -e ${asked} ] || exec ${wait}`, asyncRewake: true }] }],
  };
  writeFileSync(join(config, "settings.json"), JSON.stringify({ hooks }));
  await (await client.toolCall())();
  expect(client.requests.at(-1)).toContain("by the way");
  await eventually(async () => existsSync(asked), "the waiting hook");
  writeFileSync(`${asked}.yes`, "");
  expect(await client.hears("woken")).toContain("NOT USER INPUT");
});

test("the poster hears at its own socket what was held, refused or dropped, and nothing of what was taken", async () => {
  const { client, config } = await start({ speedUp: 100 });
  const own = join(dirname(client.socket), `${process.pid}.sock`);
  const told: { status: string; orig_msg_id: string; dropped_msg_ids?: string[] }[] = [];
  const server = createServer((connection) => {
    connection.setEncoding("utf8").on("data", (line: string) => told.push(JSON.parse(line)));
  });
  await new Promise<void>((resolve) => server.listen(own, resolve));
  onTestFinished(() => void server.close());

  const from = `uds:${own}`;
  await post(client, { content: "taken", from, msg_id: "m-0" });
  await client.hears("taken");
  for (const [setting, status] of [
    ["hold", "held"],
    ["refuse", "expired"],
  ]) {
    writeFileSync(join(config, "settings.json"), JSON.stringify({ crossSessionInbound: setting }));
    await post(client, { content: "hello", from, msg_id: `m-${setting}` });
    await eventually(async () => told.some((one) => one.status === status), `"${status}"`);
  }
  writeFileSync(join(config, "settings.json"), "{}");
  await post(client, ...["m-1", "m-2", "m-3"].map((id) => ({ content: "the same", from, msg_id: id })));
  await eventually(async () => told.length === 4, "what was dropped");
  expect(told).toMatchObject([
    { status: "held", orig_msg_id: "m-hold" },
    { status: "expired", orig_msg_id: "m-refuse" },
    { status: "dropped", orig_msg_id: "m-2", drop_reason: "duplicate", dropped_msg_ids: [] },
    { status: "dropped", orig_msg_id: "m-3", dropped_msg_ids: ["m-3"] },
  ]);
});

test("a line that is too long ends the connection", async () => {
  const { client } = await start();
  const connection = connect(client.socket);
  const closed = new Promise((resolve) => connection.once("close", resolve));
  connection.on("error", () => {});
  connection.write("x".repeat(1_048_577));
  await closed;
});

test("the end takes file and adapter with it; a resumed session has its old id", async () => {
  const { client, config, folder } = await start();
  const id = client.sessionId();
  await client.exit();
  expect(existsSync(join(config, "sessions", `${client.pid}.json`))).toBe(false);
  const env = { PATH: process.env.PATH ?? "", HOME: config };
  const command = [process.execPath, "-e", ADAPTER] as const;
  const again = await startStandIn({ folder, config, env, command, resume: id });
  expect(again.sessionId()).toBe(id);
  expect(again.pid).not.toBe(client.pid);
});
