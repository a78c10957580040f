/**
 * Stands in for the real Claude Code client: it starts the adapter as the client does, listens on a session's inbox socket, and
 * keeps its session file, its transcript and its hooks. What it does was seen with the real one (`npm run test:claude`).
 */
import { mkdirSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { launcherPath } from "#adapters/start-daemon.ts";
import { eventually } from "./e2e/waiting.ts";
import { createHooks, readSettings } from "./stand-in/hooks.ts";
import { createInbox, MAX_LINE, wrapped } from "./stand-in/inbox.ts";
import { startProcess } from "./stand-in/process.ts";
import { createReceipts } from "./stand-in/receipts.ts";
import { createSessionFile, type Status } from "./stand-in/session-file.ts";
import { openTranscript } from "./stand-in/transcript.ts";

export type StandIn = {
  /** Of the process that the adapter and the hooks take for the client. */
  pid: number;
  socket: string;
  sessionId(): string;
  transcriptPath(): string;
  /** What reached the model, a text a request. */
  requests: readonly string[];
  hears(words: string): Promise<string>;
  /** The person types it; resolves when the turn is over. */
  prompt(text: string): Promise<void>;
  /** A turn with a tool call that goes on until the function that this answers is called. */
  toolCall(): Promise<() => Promise<void>>;
  /** The same with a dialog about the permission first: the function is the person's yes. */
  dialog(): Promise<() => Promise<void>>;
  clear(): Promise<void>;
  exit(): Promise<void>;
};

export type StandInOptions = {
  /** The session's project. */
  folder: string;
  /** CLAUDE_CONFIG_DIR: settings.json in it counts. */
  config: string;
  /** Of the person, with CLAUDEMESH_HOME. */
  env: Record<string, string>;
  /** Without an inbox socket, as where the client has it switched off. */
  inbox?: boolean;
  resume?: string;
  permissionMode?: string;
  /** How much faster the client's limits pass than the clock. */
  speedUp?: number;
  command?: readonly [string, ...string[]];
};

type Waiting = { content: string; shown: (working: boolean) => string; isPeer: boolean };

export async function startStandIn(options: StandInOptions): Promise<StandIn> {
  const { folder, config, inbox = true, speedUp = 1, permissionMode = "default" } = options;
  const sockets = join(config, "cc-socks");
  for (const made of [folder, sockets]) mkdirSync(made, { recursive: true });

  let sessionId = options.resume ?? crypto.randomUUID();
  let transcript = openTranscript(config, folder, sessionId);
  let working = false;
  const requests: string[] = [];
  let queue: Waiting[] = [];

  const shared: Record<string, string> = {
    ...options.env,
    CLAUDE_CONFIG_DIR: config,
    CLAUDECODE: "1",
    CLAUDE_CODE_ENTRYPOINT: "cli",
    CLAUDE_PROJECT_DIR: folder,
  };
  // The socket takes a line without it, as the client does outside of Windows.
  const token = inbox ? { CLAUDE_CODE_MESSAGING_TOKEN: crypto.randomUUID().replaceAll("-", "") } : {};
  const client = await startProcess(options.command ?? [launcherPath, "mcp-serve"], folder, {
    ...shared,
    ...token,
    CLAUDE_CODE_SESSION_ID: sessionId,
  });
  const { pid } = client;
  const socket = join(sockets, `${pid}.sock`);
  const file = createSessionFile(config, pid, {
    cwd: folder,
    ...(inbox ? { messagingSocketPath: socket } : {}),
  });
  const show = (status?: Status, waitingFor?: string) => file.show(sessionId, status, waitingFor);
  show();

  const childEnv = () => ({
    ...shared,
    CLAUDE_CODE_SESSION_ID: sessionId,
    CLAUDE_PID: String(pid),
    CLAUDE_CODE_CHILD_SESSION: "1",
    ...token,
    ...(inbox ? { CLAUDE_CODE_MESSAGING_SOCKET: socket } : {}),
  });
  const take = (waiting: Waiting) => {
    queue.push(waiting);
    transcript.enqueued(waiting.content);
    if (!working) turn([]);
  };
  const settingsPath = join(config, "settings.json");
  const hooks = createHooks(settingsPath, folder, childEnv, (text) =>
    take({ content: text, shown: () => `[SYSTEM NOTIFICATION - NOT USER INPUT]\n${text}`, isPeer: false }),
  );
  const fire = (event: string, more: object = {}) =>
    hooks.run(event, { session_id: sessionId, transcript_path: transcript.path, cwd: folder, ...more });

  let startContext: string[] = [];
  /** One request: what was typed or what a tool gave, and whatever waits. */
  const request = async (first: readonly string[], beside: boolean) => {
    const parts = [...startContext, ...first];
    startContext = [];
    // As the first of a turn of its own, a message is alone; the others wait for the next request.
    const taken = first.length > 0 || beside ? queue : queue.slice(0, 1);
    queue = queue.slice(taken.length);
    for (const { content, isPeer } of taken) {
      if (isPeer)
        parts.push(...(await fire("UserPromptSubmit", { permission_mode: permissionMode, prompt: content })));
    }
    for (const { content, shown } of taken) {
      parts.push(shown(beside));
      transcript.delivered(content, shown(beside), beside);
    }
    requests.push(parts.join("\n\n"));
  };
  const finish = async () => {
    transcript.answered("done");
    await fire("Stop", { permission_mode: permissionMode, stop_hook_active: false });
    if (queue.length > 0) return turn([]);
    working = false;
    show("idle");
  };
  /** A turn that only talks. */
  const turn = async (first: readonly string[]): Promise<void> => {
    working = true;
    show("busy");
    await request(first, false);
    await finish();
  };
  const atPrompt = () => eventually(async () => !working, "the prompt box");
  const typed = async (text: string) => {
    await atPrompt();
    working = true;
    show("busy");
    transcript.typed(text);
    const added = await fire("UserPromptSubmit", { permission_mode: permissionMode, prompt: text });
    if (added.length > 0) transcript.added(added);
    return [text, ...added];
  };
  const tool = async (): Promise<() => Promise<void>> => {
    await request(await typed("run the tests"), false);
    const id = `toolu_${requests.length}`;
    transcript.toolUse(id, "Bash", { command: "make test" });
    return async () => {
      transcript.toolResult(id, "ok");
      const tool = { tool_name: "Bash", tool_input: { command: "make test" }, tool_use_id: id };
      const added = await fire("PostToolUse", { ...tool, permission_mode: permissionMode });
      await request(["(tool result) ok", ...added], true);
      await finish();
    };
  };

  const receipts = createReceipts(socket, speedUp);
  const judge = createInbox(
    () => performance.now() * speedUp,
    () => queue.length,
  );
  const server = createServer((connection) => {
    let buffer = "";
    connection.setEncoding("utf8").on("error", () => {});
    connection.on("data", (chunk: string) => {
      const whole = (buffer + chunk).split("\n");
      buffer = whole.pop() ?? "";
      if ([buffer, ...whole].some((text) => text.length > MAX_LINE)) return void connection.destroy();
      for (const text of whole) {
        const verdict = judge(text, readSettings(settingsPath).crossSessionInbound);
        receipts.tell(verdict);
        if (verdict.state !== "queued") continue;
        const { content } = verdict.posted;
        take({ content, shown: (busy) => wrapped(content, busy), isPeer: true });
      }
    });
  });
  if (inbox) await new Promise<void>((resolve) => server.listen(socket, resolve));

  const end = async () => {
    hooks.end();
    receipts.end();
    server.close();
    file.remove();
    await client.end();
  };
  onTestFinished(end);
  await client.connect(inbox ? socket : "");
  startContext = await fire("SessionStart", { source: options.resume ? "resume" : "startup" });
  show("idle");

  return {
    pid,
    socket,
    sessionId: () => sessionId,
    transcriptPath: () => transcript.path,
    requests,
    hears: (words) =>
      eventually(
        async () => requests.find((text) => text.includes(words)) ?? null,
        `"${words}" at the model`,
      ),
    async prompt(text) {
      await request(await typed(text), false);
      await finish();
    },
    toolCall: tool,
    async dialog() {
      const yes = await tool();
      show("waiting", "permission prompt");
      await fire("PermissionRequest", { permission_mode: permissionMode, tool_name: "Bash" });
      return async () => {
        show("busy");
        await yes();
      };
    },
    async clear() {
      await atPrompt();
      await fire("SessionEnd", { reason: "clear" });
      sessionId = crypto.randomUUID();
      transcript = openTranscript(config, folder, sessionId);
      show("busy");
      startContext = await fire("SessionStart", { source: "clear" });
      show("idle");
    },
    async exit() {
      file.remove();
      await fire("SessionEnd", { reason: "prompt_input_exit" });
      await end();
    },
  };
}
