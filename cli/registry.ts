/** Every verb. The order is the order of `help`. */
import { oneOf } from "./input.ts";
import type { Verb } from "./verb.ts";
import { accountVerbs } from "./verbs/account.ts";
import { approvalVerbs } from "./verbs/approvals.ts";
import { ask } from "./verbs/ask.ts";
import { auditVerbs } from "./verbs/audit.ts";
import { backupVerbs } from "./verbs/backup.ts";
import { daemonVerbs } from "./verbs/daemon.ts";
import { demo } from "./verbs/demo.ts";
import { deviceVerbs } from "./verbs/devices.ts";
import { doctor } from "./verbs/doctor.ts";
import { grantVerbs } from "./verbs/grant.ts";
import { groupVerbs } from "./verbs/group.ts";
import { helpPage } from "./verbs/help.ts";
import { identityVerbs } from "./verbs/identity.ts";
import { installVerbs } from "./verbs/install.ts";
import { inviteVerbs } from "./verbs/invite.ts";
import { logs } from "./verbs/logs.ts";
import { meVerbs } from "./verbs/me.ts";
import { messageVerbs } from "./verbs/message.ts";
import { peerVerbs } from "./verbs/peer.ts";
import { policyVerbs } from "./verbs/policy.ts";
import { sessionVerbs } from "./verbs/session.ts";
import { topicVerbs } from "./verbs/topic.ts";
import { up } from "./verbs/up.ts";
import { upgrade } from "./verbs/upgrade.ts";
import { workspaceVerbs } from "./verbs/workspace.ts";

/** The launcher hands these to other programs; they stand here for `help`. */
const elsewhere = (name: string, group: string, summary: string, examples: string[]): Verb => ({
  name,
  group,
  summary,
  examples,
  local: true,
  run() {},
});

const inner = (name: string, summary: string, examples: string[]): Verb => ({
  ...elsewhere(name, "more", summary, examples),
  inner: true,
});

const help: Verb = {
  name: "help",
  args: ["[NOUN]", "[VERB]"],
  summary: "all verbs, those of a noun, or one with its flags and examples",
  examples: ["claudemesh help topic", "claudemesh topic send --help"],
  local: true,
  run: ({ args, print }) => print({ help: helpPage(verbs, args) }, helpPage(verbs, args)),
};

const completions: Verb = {
  name: "completions",
  args: ["bash|zsh|fish"],
  summary: "the shell's Tab knows the verbs, their flags and values",
  examples: ['eval "$(claudemesh completions bash)"', "claudemesh completions fish | source"],
  local: true,
  async run({ args, print }) {
    const { completionScript, SHELLS } = await import("./completions.ts");
    const shell = oneOf(args[0], "completions", SHELLS) ?? "bash";
    const script = completionScript(shell, verbs);
    print({ shell, script }, script.trimEnd());
  },
};

const launch: Verb = {
  name: "launch",
  summary: "nothing to launch any more: says how it is now",
  examples: ["claudemesh launch"],
  local: true,
  run: ({ print }) =>
    print(
      { ambient: true },
      "There is nothing to launch any more: just run `claude`, and the session is on the mesh.",
    ),
};

export const verbs: readonly Verb[] = [
  up,
  ...daemonVerbs,
  logs,
  demo,
  doctor,
  upgrade,
  ...accountVerbs,
  ...identityVerbs,
  ...deviceVerbs,
  ...backupVerbs,
  ...workspaceVerbs,
  ...inviteVerbs,
  ...peerVerbs,
  ...grantVerbs,
  ask,
  ...messageVerbs,
  ...topicVerbs,
  ...sessionVerbs,
  ...groupVerbs,
  ...policyVerbs,
  ...approvalVerbs,
  ...auditVerbs,
  ...meVerbs,
  ...installVerbs,
  elsewhere("broker", "daemon", "run a broker for a team (claudemesh broker --help)", [
    "claudemesh broker --host 0.0.0.0 --port 7433",
  ]),
  inner("mcp-serve", "the adapter that Claude Code starts beside a session", [
    "claude mcp add --scope user claudemesh -- claudemesh mcp-serve",
  ]),
  inner("hook", "what Claude Code's hooks run, in a session that has no inbox", ["claudemesh hook prompt"]),
  inner("statusline", "what Claude Code's status line runs: workspace, who is online, what is unread", [
    "claudemesh statusline",
  ]),
  completions,
  launch,
  help,
];
