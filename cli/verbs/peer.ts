/** peer list, show, search */
import type { PeerListing } from "#protocol/features/member.ts";
import { dot, paint, safe, table } from "../print.ts";
import type { Verb } from "../verb.ts";

export function peerLines({ name, role, online, you, workspace, sessions }: PeerListing): string[] {
  const head = `${dot(online)} ${safe(name)}${you ? " (you)" : ""}  ${paint("dim", `${role} in ${workspace}`)}`;
  return [
    head,
    ...sessions.map(
      ({ address, status, summary, cwd, host }) =>
        `    ${safe(address)}  ${status}  ${safe(cwd ?? "")} on ${safe(host)}${summary ? `: ${safe(summary)}` : ""}`,
    ),
  ];
}

const list: Verb = {
  name: "peer list",
  aliases: ["peers"],
  summary: "who is here, with their sessions",
  examples: ["claudemesh peers", "claudemesh peers --workspace acme --json"],
  async run({ workspace, daemon, print }) {
    const client = await daemon();
    const { peers } = await client.peer.list({ workspace });
    print({ peers }, peers.flatMap(peerLines).join("\n"));
  },
};

const show: Verb = {
  name: "peer show",
  args: ["PEER"],
  summary: "one of them in detail, with keys to compare",
  examples: ["claudemesh peer show alice"],
  async run({ args, workspace, daemon, print }) {
    const client = await daemon();
    const found = await client.peer.show({ workspace, peer: args[0] ?? "" });
    const rows = [
      ["user id", found.member],
      ["root", found.rootFingerprint],
      ...found.devices.map(({ fingerprint }) => ["device", fingerprint]),
      ["invited by", found.invitedBy === null ? "nobody: the owner" : safe(found.invitedBy)],
      ...(found.lastSeen === null ? [] : [["last seen", found.lastSeen]]),
    ];
    print(
      found,
      [...peerLines(found), table(rows.map(([what = "", ...row]) => [`    ${what}`, ...row]))].join("\n"),
    );
  },
};

const search: Verb = {
  name: "peer search",
  args: ["QUERY…"],
  summary: "members and sessions by name, folder, host or summary",
  examples: ["claudemesh peer search payments"],
  async run({ args, workspace, daemon, print }) {
    const client = await daemon();
    const { peers } = await client.peer.search({ workspace, query: args.join(" ") });
    print({ peers }, peers.length > 0 ? peers.flatMap(peerLines).join("\n") : "Nobody fits.");
  },
};

export const peerVerbs = [list, show, search];
