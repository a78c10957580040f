/**
 * `claudemesh hook EVENT` and `claudemesh statusline`: what Claude Code runs at its hooks and for its status line. They never
 * start a daemon, never fail, and say nothing where there is nothing to say.
 */
import { readFileSync } from "node:fs";
import { claudeFolder } from "#adapters/claude-folder.ts";
import { connectDaemon } from "#adapters/daemon-client.ts";
import { homePath, socketPath } from "#adapters/home.ts";
import { VERSION } from "#adapters/version.ts";
import type { Client } from "#protocol/registry.ts";

/** How a client tells a hook's text from its failure: it wakes its session and shows the text to the model. */
const WAKE = 2;

type Input = Readonly<Record<string, unknown>>;

async function hook(daemon: Client, event: "wait" | "prompt"): Promise<void> {
  const { CLAUDE_PID } = process.env;
  const claude = {
    pid: Number(CLAUDE_PID ?? process.ppid),
    config: claudeFolder(),
  };
  const { text } = await daemon.session.hook({ event, claude });
  if (text === null) return;
  if (event === "wait") {
    process.stderr.write(text);
    process.exitCode = WAKE;
    return;
  }
  const hookSpecificOutput = { hookEventName: "UserPromptSubmit", additionalContext: text };
  process.stdout.write(`${JSON.stringify({ hookSpecificOutput })}\n`);
}

async function statusline(daemon: Client, input: Input): Promise<void> {
  const { session_id: id, model, cost, context_window: context } = input;
  const known = Object.entries({
    costUsd: part(cost).total_cost_usd,
    contextTokens: part(context).total_input_tokens,
    contextPercent: part(context).used_percentage,
  }).flatMap(([name, value]) => (typeof value === "number" ? [[name, value] as const] : []));
  const { workspace, online, members, unread } = await daemon.session.line({
    id: String(id),
    model: typeof part(model).id === "string" ? String(part(model).id) : undefined,
    stats: Object.fromEntries(known),
  });
  const parts = [
    workspace ?? "claudemesh",
    ...(workspace === null ? [] : [`${online}/${members} online`]),
    ...(unread > 0 ? [`${unread} unread`] : []),
  ];
  process.stdout.write(`◇ ${parts.join(" · ")}\n`);
}

function part(value: unknown): Input {
  return typeof value === "object" && value !== null ? (value as Input) : {};
}

async function run([what, event = ""]: readonly string[]): Promise<void> {
  const client = await connectDaemon(socketPath(homePath()), { client: "adapter", version: VERSION });
  if (what === "statusline") await statusline(client.daemon, part(JSON.parse(readFileSync(0, "utf8"))));
  else if (event === "wait" || event === "prompt") await hook(client.daemon, event);
}

run(process.argv.slice(2))
  // Without a daemon, or with one of another version, the session goes on as if there were no mesh.
  .catch(() => {})
  .finally(() => process.exit());
