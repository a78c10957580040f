/** `claude mcp add` and `mcp remove` as Claude Code 2.1.329 does them, and in worse manners. */

/** "lies": ends well without a word written; "damages": leaves half a file; "hangs": its child, too; "halfway": adds, and fails. */
export type Manner = "works" | "fails" | "lies" | "damages" | "hangs" | "halfway";

export function clientScript(manner: Manner): string {
  return `#!${process.execPath}\n(${behave.toString()})(${JSON.stringify(manner)});\n`;
}

/** Runs in a process of its own, so it brings along all that it needs. */
function behave(manner: Manner): void {
  const { existsSync, readFileSync, writeFileSync } = process.getBuiltinModule("node:fs");
  const { spawnSync } = process.getBuiltinModule("node:child_process");
  const { env, argv } = process;
  const path = `${env.CLAUDE_CONFIG_DIR ?? env.HOME}/.claude.json`;
  const [, , noun, verb, scopeFlag, scope, name = "", dashes, command, ...args] = argv;
  const fail = (why: string) => {
    console.error(why);
    process.exit(1);
  };
  if (noun !== "mcp" || scopeFlag !== "--scope" || scope !== "user")
    fail(`unknown: ${argv.slice(2).join(" ")}`);
  if (manner === "hangs") spawnSync(process.execPath, ["-e", "setInterval(() => {}, 1000)", path]);
  if (manner === "fails") fail("Error: the organisation doesn't allow it");
  if (manner === "lies") process.exit(0);
  if (manner === "damages") {
    writeFileSync(path, '{"mcpServers": {"cla');
    fail("no space left on device");
  }
  const text = existsSync(path) ? readFileSync(path, "utf8").replace(/^\ufeff/, "") : "{}";
  const config = { machineID: "c2e2798d7a1a", ...JSON.parse(text) };
  const { [name]: there, ...others } = config.mcpServers ?? {};
  if (verb === "add") {
    if (dashes !== "--") fail("the command goes behind --");
    if (there) fail(`MCP server ${name} already exists in user config`);
    config.mcpServers = { ...others, [name]: { type: "stdio", command, args, env: {} } };
  } else {
    if (!there) fail(`No MCP server named "${name}" in user scope`);
    config.mcpServers = others;
  }
  // As the client does: two spaces, no line end behind.
  writeFileSync(path, JSON.stringify(config, null, 2));
  if (manner === "halfway") fail("killed");
}
