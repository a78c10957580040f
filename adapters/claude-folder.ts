/** Where Claude Code keeps what is this person's. */
import { homedir } from "node:os";
import { join, resolve } from "node:path";

/** `$CLAUDE_CONFIG_DIR`, else `~/.claude`. */
export function claudeFolder(): string {
  const chosen = process.env.CLAUDE_CONFIG_DIR;
  return chosen ? resolve(chosen) : join(homedir(), ".claude");
}
