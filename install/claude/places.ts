/** Where Claude Code keeps its files, and where programs are. */
import { accessSync, constants, realpathSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { claudeFolder } from "#adapters/claude-folder.ts";

export type Places = { settings: string; skill: string; servers: string };

/** `$CLAUDE_CONFIG_DIR` holds everything; without it, `~/.claude`, and the servers in a file beside that folder. */
export function claudePlaces(): Places {
  const folder = claudeFolder();
  return {
    settings: join(folder, "settings.json"),
    skill: join(folder, "skills", "claudemesh", "SKILL.md"),
    servers: join(process.env.CLAUDE_CONFIG_DIR ? folder : homedir(), ".claude.json"),
  };
}

/** The first program of that name on PATH, or null. */
export function onPath(name: string): string | null {
  const folders = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  return folders.map((folder) => resolve(folder, name)).find(isProgram) ?? null;
}

export function isSameFile(one: string, other: string): boolean {
  try {
    return realpathSync(one) === realpathSync(other);
  } catch {
    return false;
  }
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
