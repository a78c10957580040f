/** The same content as a Claude Code plugin, with the marketplace that it is installed from: `npm run docs` writes install/plugin/. */
import { VERSION } from "#adapters/version.ts";
import { HOOKS, hookGroup } from "./hooks.ts";
import type { Json } from "./json-text.ts";
import { ARGUMENTS, SERVER } from "./servers.ts";
import { skillText } from "./skill.ts";

const NAME = "claudemesh";
const ABOUT =
  "Connects this machine's Claude Code sessions with those of your colleagues, end-to-end encrypted.";
const AUTHOR = { name: "The claudemesh authors" };
const FOLDER = `plugins/${NAME}`;

/** Path under the marketplace's folder → text. */
export function pluginFiles(): Readonly<Record<string, string>> {
  return {
    ".claude-plugin/marketplace.json": json({
      name: NAME,
      owner: AUTHOR,
      metadata: { description: ABOUT },
      plugins: [{ name: NAME, source: `./${FOLDER}`, description: ABOUT }],
    }),
    [`${FOLDER}/.claude-plugin/plugin.json`]: json({
      name: NAME,
      version: VERSION,
      description: ABOUT,
      author: AUTHOR,
    }),
    [`${FOLDER}/.mcp.json`]: json({ mcpServers: { [SERVER]: { command: NAME, args: ARGUMENTS } } }),
    [`${FOLDER}/hooks/hooks.json`]: json({ description: ABOUT, hooks: hooks() }),
    [`${FOLDER}/skills/${NAME}/SKILL.md`]: skillText(),
  };
}

/**
 * A plugin is copied to where the client keeps it, and is the same on every machine, so it can't know the launcher's path:
 * it calls the `claudemesh` on PATH, as the skill does. Where there is none, a hook ends well.
 */
function hooks(): Json {
  const command = (words: string) => `! command -v ${NAME} >/dev/null || exec ${NAME} ${words}`;
  return Object.fromEntries(HOOKS.map((hook) => [hook.event, [hookGroup(hook, command)]]));
}

function json(value: Json): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
