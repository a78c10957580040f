/** What Claude Code waits for on our behalf: its status line, and the hooks of a session that has an inbox. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { launcherPath } from "#adapters/start-daemon.ts";
import { HOOKS, hookGroup } from "#install/claude/hooks.ts";
import { type Bench, timed } from "./figure.ts";
import { type Home, withHomes } from "./home.ts";

const RUNS = 40;
const STATUS = JSON.stringify({
  session_id: "none",
  model: { id: "claude-test" },
  cost: { total_cost_usd: 0.1 },
  context_window: { total_input_tokens: 1000, used_percentage: 1 },
});

export const hooks: Bench = {
  name: "hooks",
  run: () =>
    withHomes(["alice"], async (home) => {
      if (!home) throw new Error("no home");
      await home.verb("workspace", "create", "acme");
      const [hook] = HOOKS;
      if (!hook) throw new Error("no hook");
      const command = commandOf(hookGroup(hook, (words) => `exec ${launcherPath} ${words}`));
      const line: number[] = [];
      const node: number[] = [];
      const guard: number[] = [];
      const shell: number[] = [];
      for (let i = 0; i < RUNS; i++) {
        node.push(await timed(() => run(process.execPath, ["-e", "0"], home)));
        line.push(await timed(() => run(launcherPath, ["statusline"], home)));
        shell.push(await timed(() => run("/bin/sh", ["-c", ":"], home)));
        guard.push(await timed(() => run("/bin/sh", ["-c", command], home)));
      }
      return [
        { name: "status line", measured: line, floor: node, floorName: "`node -e 0`", target: "≤ 40 ms" },
        {
          name: "a hook, in a session that has an inbox",
          measured: guard,
          floor: shell,
          floorName: "a shell that does nothing",
          target: "none",
        },
      ];
    }),
};

function commandOf(group: ReturnType<typeof hookGroup>): string {
  const { hooks: of } = group;
  const [first] = Array.isArray(of) ? of : [];
  if (typeof first === "object" && first !== null && "command" in first) return String(first.command);
  throw new Error("no command");
}

async function run(command: string, args: readonly string[], home: Home): Promise<void> {
  const env = {
    ...process.env,
    CLAUDEMESH_HOME: home.path,
    CLAUDE_CODE_MESSAGING_SOCKET: "/nowhere/inbox.sock",
  };
  const child = spawn(command, [...args], { stdio: ["pipe", "ignore", "inherit"], env });
  child.stdin.on("error", () => {});
  child.stdin.end(STATUS);
  await once(child, "exit");
}
