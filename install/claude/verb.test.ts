// Several at once, each a process.
import { spawn } from "node:child_process";
import { expect, test } from "vitest";
import { launcherPath } from "#adapters/start-daemon.ts";
import { type ClaudeHome, createClaudeHome } from "#test/claude-home.ts";

function run(home: ClaudeHome, verb: string): Promise<{ code: number | null; json: { changes: unknown[] } }> {
  const env = { HOME: home.home, PATH: home.bin, CLAUDEMESH_HOME: home.mesh };
  const child = spawn(launcherPath, [verb, "--yes", "--json"], { env, stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, json: JSON.parse(said) }));
  });
}

const times = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make);

test.each(["no client", "a client"])(
  "with %s: of installs at once one writes, and all end well",
  async (client) => {
    const home = createClaudeHome();
    home.write(".claude/settings.json", '{ "model": "opus" } // mine\n', 0o640);
    home.write(".claude.json", '{"numStartups": 3}');
    if (client === "a client") home.client();
    const before = home.tree();
    const installs = await Promise.all(times(4, () => run(home, "install")));
    expect(installs.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
    expect(home.read(".claude/settings.json").match(/hook prompt/g)).toHaveLength(1);
    const uninstalls = await Promise.all(times(4, () => run(home, "uninstall")));
    expect(uninstalls.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
    expect(home.tree()).toEqual(before);
  },
);
