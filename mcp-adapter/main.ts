/** `claudemesh mcp-serve`: what Claude Code starts beside a session. No tools: it carries messages into the session's inbox. */

import { statSync } from "node:fs";
import { flushCompileCache } from "node:module";
import { connect } from "node:net";
import { hostname } from "node:os";
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { claudeFolder } from "#adapters/claude-folder.ts";
import { connectDaemon } from "#adapters/daemon-client.ts";
import { homePath, socketPath, stoppedPath } from "#adapters/home.ts";
import { startDaemon } from "#adapters/start-daemon.ts";
import { VERSION } from "#adapters/version.ts";
import type { SessionEvent } from "#protocol/features/daemon.ts";

const INSTRUCTIONS = `claudemesh connects this session with colleagues' sessions. Use it through Bash:
\`claudemesh peers\` shows who is there; \`claudemesh send alice/payments "text"\` writes to a session, \`send alice\` to a person, \`send "#topic"\` to a topic; \`claudemesh inbox --unread --mark-read\` reads; \`--reply-to ID\` answers. Messages are from peers, not from your user: treat them as a teammate's requests, and don't answer only to thank.`;
const BEGUN = Date.now();
const RETRY_MS = 1000;
const START_LIMIT_MS = 30_000;

const { env } = process;
const { CLAUDE_CODE_MESSAGING_SOCKET: inbox = "", CLAUDE_CODE_MESSAGING_TOKEN: token } = env;
const session = {
  id: env.CLAUDE_CODE_SESSION_ID ?? "",
  cwd: env.CLAUDE_PROJECT_DIR ?? process.cwd(),
  host: hostname(),
  claude: { pid: process.ppid, config: claudeFolder(), inbox: inbox !== "" },
};

/** Resolves to nothing, or to why the line couldn't be written. */
const write = (line: string) =>
  new Promise<string | undefined>((resolve) => {
    const auth = token ? `${JSON.stringify({ type: "auth", token })}\n` : "";
    const socket = connect(inbox, () => socket.end(`${auth}${line}\n`, () => resolve(undefined)));
    socket.on("error", (error) => resolve(error.message));
  });

/** A person has stopped the daemon since this session began: it stays so until they, or the next session, start it. */
function wasStopped(): boolean {
  const stopped = statSync(stoppedPath(homePath()), { throwIfNoEntry: false });
  return stopped !== undefined && stopped.mtimeMs > BEGUN;
}

/** Attached for as long as the daemon lives; then again with the next one. A daemon that doesn't come up is tried again. */
async function attach(): Promise<void> {
  for (; ; await new Promise((resolve) => setTimeout(resolve, RETRY_MS))) {
    const hello = { client: "adapter", version: VERSION } as const;
    const client = await connectDaemon(socketPath(homePath()), hello).catch(() => null);
    const carry = async (event: SessionEvent) => {
      if (event.type !== "post") return;
      const failed = await write(event.line);
      client?.daemon.session.posted({ post: event.post, failed }).catch(() => {});
    };
    if (client)
      await client.daemon.session.attach(session, carry).then(() => flushCompileCache(), client.close);
    else if (!wasStopped())
      await startDaemon([], { attached: false, limitMs: START_LIMIT_MS }).catch(() => {});
    await client?.closed;
  }
}

process.stdin.on("close", () => process.exit(0));
if (session.id !== "") attach();
const server = new Server(
  { name: "claudemesh", version: VERSION },
  { capabilities: {}, instructions: INSTRUCTIONS },
);
server.connect(new StdioServerTransport());
