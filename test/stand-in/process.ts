/** The process that an adapter takes for the client: its parent, by whose pid the session's socket is named. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

export type ClientProcess = {
  pid: number;
  /** Starts the adapter, with that inbox socket in its environment ("" for none), and shakes hands with it. */
  connect(socket: string): Promise<void>;
  /** Closes the adapter's stdin; resolves once it has ended. */
  end(): Promise<void>;
};

// A shell plays the client: it says its pid, and waits for the socket that is named after it.
const SHELL = `echo $$
read -r CLAUDE_CODE_MESSAGING_SOCKET
[ -n "$CLAUDE_CODE_MESSAGING_SOCKET" ] && export CLAUDE_CODE_MESSAGING_SOCKET || unset CLAUDE_CODE_MESSAGING_SOCKET
"$@"
exit $?`;

export async function startProcess(
  adapter: readonly [string, ...string[]],
  cwd: string,
  env: Record<string, string>,
): Promise<ClientProcess> {
  const child = spawn("/bin/sh", ["-c", SHELL, "sh", ...adapter], {
    cwd,
    env,
    stdio: ["pipe", "pipe", "inherit"],
  });
  // An adapter that ended by itself is a test's business to notice.
  child.stdin.on("error", () => {});
  const ended = once(child, "exit");
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const say = (message: object) => child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
  const { value } = await lines.next();
  return {
    pid: Number(value),
    async connect(socket) {
      child.stdin.write(`${socket}\n`);
      // A question that only newer servers know comes first.
      say({ id: "server-discover-probe-1", method: "server/discover", params: {} });
      await lines.next();
      const clientInfo = { name: "claude-code", version: "2.1.329" };
      const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo };
      say({ id: 0, method: "initialize", params });
      await lines.next();
      say({ method: "notifications/initialized" });
    },
    async end() {
      child.stdin.end();
      await ended;
    },
  };
}
