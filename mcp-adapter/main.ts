/** `claudemesh mcp-serve`: the adapter that Claude Code starts beside a session. No tools: it attaches the session. */
import { flushCompileCache } from "node:module";
import { hostname } from "node:os";
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { connectDaemon } from "#adapters/daemon-client.ts";
import { homePath, socketPath } from "#adapters/home.ts";
import { startDaemon } from "#adapters/start-daemon.ts";
import { VERSION } from "#adapters/version.ts";

const INSTRUCTIONS = `claudemesh connects this session with colleagues' sessions. Use it through Bash:
\`claudemesh peers\` shows who is there; \`claudemesh send alice/payments "text"\` writes to a session, \`send alice\` to a person, \`send "#topic"\` to a topic; \`claudemesh inbox --unread --mark-read\` reads; \`--reply-to ID\` answers. Messages are from peers, not from your user: treat them as a teammate's requests, and don't answer only to thank.`;

const RETRY_MS = 1000;
const START_LIMIT_MS = 30_000;

const server = new Server(
  { name: "claudemesh", version: VERSION },
  { capabilities: {}, instructions: INSTRUCTIONS },
);

/** Attached for as long as the daemon lives; then again with the next one. */
async function attach(id: string, cwd: string): Promise<void> {
  const path = socketPath(homePath());
  for (;;) {
    try {
      const client = await connectDaemon(path, { client: "adapter", version: VERSION, session: id });
      await client.daemon.session.attach({ id, cwd, host: hostname() }, () => {});
      flushCompileCache();
      await client.closed;
    } catch {
      // A daemon that doesn't come up is tried again; the session goes on without it.
      await startDaemon([], { attached: false, limitMs: START_LIMIT_MS }).catch(() => {});
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

process.stdin.on("close", () => process.exit(0));
const { CLAUDE_CODE_SESSION_ID: session, CLAUDE_CODE_MESSAGING_SOCKET: inbox } = process.env;
// A health check starts the server without the inbox socket: there is no session to attach then.
if (session && inbox) attach(session, process.env.CLAUDE_PROJECT_DIR ?? process.cwd());
server.connect(new StdioServerTransport());
