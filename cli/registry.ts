/** Every verb. The order is the order of `help`. */
import type { Verb } from "./verb.ts";
import { daemonVerbs } from "./verbs/daemon.ts";
import { doctor } from "./verbs/doctor.ts";
import { helpPage } from "./verbs/help.ts";
import { logs } from "./verbs/logs.ts";
import { messageVerbs } from "./verbs/message.ts";
import { peerVerbs } from "./verbs/peer.ts";
import { topicVerbs } from "./verbs/topic.ts";
import { up } from "./verbs/up.ts";
import { workspaceVerbs } from "./verbs/workspace.ts";

/** The launcher hands these to other programs; they stand here for `help`. */
const elsewhere = (name: string, summary: string, examples: string[]): Verb => ({
  name,
  summary,
  examples,
  local: true,
  run() {},
});

const help: Verb = {
  name: "help",
  args: ["[NOUN]"],
  summary: "this page, or one with examples",
  examples: ["claudemesh help topic"],
  local: true,
  run: ({ args, print }) => print({ help: helpPage(verbs, args) }, helpPage(verbs, args)),
};

export const verbs: readonly Verb[] = [
  up,
  ...daemonVerbs,
  logs,
  doctor,
  ...workspaceVerbs,
  ...peerVerbs,
  ...messageVerbs,
  ...topicVerbs,
  elsewhere("broker", "run a broker for a team (claudemesh broker --help)", [
    "claudemesh broker --host 0.0.0.0 --port 7433",
  ]),
  elsewhere("mcp-serve", "the adapter that Claude Code starts", [
    "claude mcp add --scope user claudemesh -- claudemesh mcp-serve",
  ]),
  help,
];
