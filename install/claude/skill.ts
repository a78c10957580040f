/** The text that tells a session's model how to use claudemesh. */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { launcherPath } from "#adapters/start-daemon.ts";

const PATH = join(dirname(dirname(launcherPath)), "install", "claude", "skill", "SKILL.md");

export function skillText(): string {
  return readFileSync(PATH, "utf8");
}
