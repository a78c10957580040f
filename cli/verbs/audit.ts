/** audit show, verify, decisions */
import type { Finding } from "#protocol/features/audit.ts";
import { whole } from "../input.ts";
import { paint, safe, table } from "../print.ts";
import type { Verb } from "../verb.ts";

function findingLines(findings: readonly Finding[]): string {
  if (findings.length === 0) return "  nothing is missing";
  const rows = findings.map(({ type, member, label, count, detail }) => [
    `  ${type}`,
    String(count),
    `${safe(member ?? "")}${label ? ` → ${safe(label)}` : ""}`,
    detail,
  ]);
  return table(rows);
}

const show: Verb = {
  name: "audit show",
  summary: "who did what to a workspace, and what the broker withheld",
  examples: ["claudemesh audit show --workspace acme"],
  async run({ workspace, daemon, print }) {
    const client = await daemon();
    const { workspaces } = await client.audit.show({ workspace });
    const text = workspaces.map(({ workspace: slug, entries, findings }) => {
      const rows = entries.map(({ height, at, type, by, detail }) => [
        `  ${height}`,
        at,
        type,
        safe(by),
        detail,
      ]);
      return `${paint("bold", slug)}\n${table(rows)}\n${findingLines(findings)}`;
    });
    print({ workspaces }, text.join("\n"));
  },
};

const verify: Verb = {
  name: "audit verify",
  summary: "check every signature that this machine holds again",
  examples: ["claudemesh audit verify"],
  async run({ workspace, daemon, print }) {
    const client = await daemon();
    const { workspaces } = await client.audit.verify({ workspace });
    const text = workspaces.map(({ workspace: slug, ok, entries, records, findings }) => {
      const verdict = ok ? paint("green", "ok") : paint("red", "not ok");
      return `${slug}: ${verdict}, ${entries} chain entries, ${records} records\n${findingLines(findings)}`;
    });
    print({ workspaces }, text.join("\n"));
    if (workspaces.some(({ ok }) => !ok)) process.exitCode = 1;
  },
};

const decisions: Verb = {
  name: "audit decisions",
  options: { limit: { type: "string", value: "N", about: "the newest N; 100 without it" } },
  summary: "what was decided on this machine of what isn't free for sessions: by whom, and when",
  examples: ["claudemesh audit decisions --limit 20"],
  async run({ options, daemon, print }) {
    const client = await daemon();
    const { decisions: found } = await client.approval.decisions({ limit: whole(options.limit, "--limit") });
    const rows = found.map(({ at, who, session, method, workspace, decision, by, reason }) => [
      at,
      decision,
      `${method.replace(".", " ")}${workspace ? ` in ${safe(workspace)}` : ""}`,
      who === "session" ? `asked by session ${safe(session ?? "")}`.trimEnd() : "",
      by ? `said at ${safe(by)}` : safe(reason ?? ""),
    ]);
    print({ decisions: found }, rows.length > 0 ? table(rows) : "Nothing was decided yet.");
  },
};

export const auditVerbs = [show, verify, decisions];
