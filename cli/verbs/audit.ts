/** audit show, audit verify */
import type { Finding } from "#protocol/features/audit.ts";
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

export const auditVerbs = [show, verify];
