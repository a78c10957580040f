/** The pages of docs/ that are generated in part, and the plugin, which is generated whole: as they ought to be. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { pluginFiles } from "#install/claude/plugin.ts";
import { refreshed } from "./blocks.ts";
import { cliBlocks } from "./cli.ts";
import { relinked } from "./links.ts";
import { protocolBlocks } from "./protocol.ts";

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Path → what is there, and what ought to be. */
export async function pages(): Promise<{ path: string; now: string; fresh: string }[]> {
  const blocks = { "docs/CLI.md": cliBlocks, "docs/PROTOCOL.md": await protocolBlocks(ROOT) };
  const documents = readdirSync(join(ROOT, "docs")).filter((name) => name.endsWith(".md"));
  const plugin = Object.entries(pluginFiles()).map(([file, fresh]) => {
    const path = join(ROOT, "install", "plugin", file);
    return { path, now: existsSync(path) ? readFileSync(path, "utf8") : "", fresh };
  });
  const made = documents.map((name) => {
    const path = `docs/${name}`;
    const now = readFileSync(join(ROOT, path), "utf8");
    const blocksOf = Object.entries(blocks).find(([page]) => page === path)?.[1] ?? {};
    const read = (target: string) => readFileSync(join(ROOT, "docs", target), "utf8");
    return { path: join(ROOT, path), now, fresh: relinked(refreshed(now, blocksOf), read) };
  });
  return [...made, ...plugin];
}
