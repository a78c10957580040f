/** audit show, audit verify: what happened to a workspace, and whether what the broker gave us adds up. */
import { type ChainEntry, decodeEntry } from "#protocol/chain/entries.ts";
import type { Finding } from "#protocol/features/audit.ts";
import { recordIdTime } from "#protocol/ids.ts";
import { decodeRecord } from "#protocol/record.ts";
import type { Handlers } from "#protocol/registry.ts";
import { findTopic, memberNames, topicNames } from "../messages/names.ts";
import type { Caller, Opened, Peer } from "../peer.ts";
import type { Workspace } from "../workspace.ts";
import { groupNames } from "./group.ts";

export function auditHandlers(peer: Peer): Handlers<Caller>["audit"] {
  return {
    show: ({ workspace: selector }) => ({
      workspaces: peer.readable(selector).map((opened) => ({
        workspace: opened.slug,
        entries: entriesOf(opened),
        findings: findingsIn(opened),
      })),
    }),
    async verify({ workspace: selector }) {
      const workspaces = [];
      for (const opened of peer.readable(selector)) workspaces.push(await verified(opened));
      return { workspaces };
    },
  };
}

/** With the names that people use. */
export function findingsIn({ workspace }: Opened): Finding[] {
  const members = memberNames(workspace);
  const labels = labelNames(workspace);
  return workspace.findings().map((finding) => ({
    ...finding,
    member: finding.member && (members.get(finding.member) ?? finding.member),
    label: finding.label && (labels.get(finding.label) ?? finding.label),
  }));
}

/** What retention took, and a log that was restored, happen at honest brokers. */
export function isLie({ type }: Pick<Finding, "type">): boolean {
  return type !== "expired" && type !== "restored";
}

function entriesOf({ workspace }: Opened) {
  const names = memberNames(workspace);
  return workspace.replica.chain().map(({ height, seq, bytes }) => {
    const { header, body } = decodeRecord(bytes);
    const entry = decodeEntry(body);
    const at = new Date(recordIdTime(header.id)).toISOString();
    const nameOf = (member: string) => names.get(member) ?? member;
    const by = nameOf(header.from);
    return { height, seq, type: entry.type, by, at, detail: detailOf(entry, nameOf) };
  });
}

function detailOf(entry: ChainEntry, nameOf: (member: string) => string): string {
  switch (entry.type) {
    case "invite":
      return `${entry.role}, ${entry.uses} use${entry.uses === 1 ? "" : "s"}, code ${entry.code}`;
    case "join":
      return `by invite ${entry.code}`;
    case "revoke":
      return `code ${entry.code}`;
    case "remove":
      return nameOf(entry.member);
    case "role":
      return `${nameOf(entry.member)}: ${entry.role}`;
    case "device":
      return entry.device.via.length > 0 ? "paired" : "";
    case "device-revoke":
      return `${entry.devices.length} device${entry.devices.length === 1 ? "" : "s"}`;
    case "seed":
      return `number ${entry.number}`;
    case "offer":
      return entry.member === null ? "taken back" : `to ${nameOf(entry.member)}`;
    case "epoch":
      return `key ${entry.number} to ${Object.keys(entry.sealed).length}`;
    default:
      return "";
  }
}

async function verified(opened: Opened) {
  const { slug, workspace } = opened;
  const bad = await workspace.verifyAll();
  const findings = [
    ...findingsIn(opened),
    ...bad.refused.map(({ message: detail }) => ({
      type: "refused" as const,
      member: null,
      label: null,
      count: 1,
      detail,
    })),
  ];
  const isBroken = findings.some(isLie);
  return { workspace: slug, ok: !isBroken, entries: bad.entries, records: bad.records, findings };
}

/** Label → how people write it. */
function labelNames(workspace: Workspace): Map<string, string> {
  const rooms = [
    ...topicNames(workspace).map((name) => [findTopic(workspace, name).label, `#${name}`]),
    ...groupNames(workspace).map((name) => [workspace.keyring.labelId("group", name), `@${name}`]),
  ];
  return new Map([
    ...memberNames(workspace),
    ...rooms.flatMap(([label, name]) => (label && name ? [[label, name] as const] : [])),
  ]);
}
