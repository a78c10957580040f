/** Somebody's home with Claude Code's files in it, for tests in one process, and a stand-in for the client's own command. */
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished, vi } from "vitest";
import { clientScript, type Manner } from "./stand-in-claude.ts";

export type ClaudeHome = {
  home: string;
  /** Beside it: programs that are on PATH, and claudemesh's own folder. */
  bin: string;
  mesh: string;
  write(path: string, content: string | Uint8Array, mode?: number): string;
  read(path: string): string;
  /** All that is in the home: kinds, modes, contents, and where links lead. */
  tree(): Record<string, string>;
  client(manner?: Manner): void;
};

/** It is the home of this process until the test has ended. */
export function createClaudeHome(): ClaudeHome {
  const folder = mkdtempSync(join(tmpdir(), "claude-home-"));
  const [home, bin, mesh] = [join(folder, "home"), join(folder, "bin"), join(folder, "mesh")];
  for (const one of [home, bin]) mkdirSync(one);
  vi.stubEnv("HOME", home);
  vi.stubEnv("PATH", bin);
  vi.stubEnv("CLAUDEMESH_HOME", mesh);
  vi.stubEnv("CLAUDE_CONFIG_DIR", undefined);
  onTestFinished(() => {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    home,
    bin,
    mesh,
    write(path, content, mode) {
      const whole = join(home, path);
      mkdirSync(dirname(whole), { recursive: true });
      writeFileSync(whole, content);
      if (mode !== undefined) chmodSync(whole, mode);
      return whole;
    },
    read: (path) => readFileSync(join(home, path), "utf8"),
    tree: () => Object.fromEntries(entriesOf(home, "")),
    client(manner = "works") {
      writeFileSync(join(bin, "claude"), clientScript(manner), { mode: 0o755 });
    },
  };
}

function entriesOf(root: string, folder: string): [string, string][] {
  return readdirSync(join(root, folder)).flatMap((name): [string, string][] => {
    const path = folder === "" ? name : `${folder}/${name}`;
    const whole = join(root, path);
    const stat = lstatSync(whole);
    const mode = (stat.mode & 0o7777).toString(8);
    if (stat.isSymbolicLink()) return [[path, `link to ${readlinkSync(whole)}`]];
    if (stat.isDirectory()) return [[path, `folder ${mode}`], ...entriesOf(root, path)];
    return [[path, `${mode} ${readFileSync(whole).toString("base64")}`]];
  });
}
