/** peer list, show, search, verify */
import { MeshError } from "#protocol/errors.ts";
import type { PeerListing } from "#protocol/features/member.ts";
import type { Client } from "#protocol/registry.ts";
import { askLine, canAsk } from "../ask.ts";
import { dot, keyWarning, paint, safe, table, verifiedMark } from "../print.ts";
import type { Context, Verb } from "../verb.ts";

export function peerLines(listing: PeerListing): string[] {
  const { name, role, online, you, workspace, sessions } = listing;
  const head = `${dot(online)} ${safe(name)}${you ? " (you)" : ""}${verifiedMark(listing)}  ${paint("dim", `${role} in ${workspace}`)}`;
  return [
    head,
    ...keyWarning(listing),
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
      ["verified", found.verified ? "yes" : "no"],
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

type Shown = Awaited<ReturnType<Client["peer"]["verify"]>>;

const verify: Verb = {
  name: "peer verify",
  args: ["PEER"],
  options: {
    accept: { type: "boolean", about: "take the key as it is, without comparing" },
    unverify: { type: "boolean", about: "take the mark away" },
  },
  summary: "compare a safety number with somebody, to be sure of their key; --yes marks it without asking",
  examples: ["claudemesh peer verify alice", "claudemesh peer verify alice --accept"],
  async run(context) {
    const { args, options, workspace, daemon, print } = context;
    if (options.accept === true && options.unverify === true)
      throw new MeshError("usage", "--accept and --unverify are opposites.", "Give one of them.");
    const client = await daemon();
    const shown = await client.peer.verify({ workspace, peer: args[0] ?? "" });
    const as = options.accept === true ? "accepted" : options.unverify === true ? "unverified" : null;
    const isQuestion = as === null && options.yes !== true;
    if (isQuestion && !canAsk(context)) return print(shown, numberText(shown));
    const mark = as ?? (options.yes === true || (await isTheSame(context, shown)) ? "verified" : null);
    if (mark === null) {
      print(shown, `${safe(shown.name)} isn't marked: somebody else's key may be between you.`);
      return;
    }
    // By the id: the name may have come to stand for somebody else meanwhile.
    const marked = await client.peer.trust({ workspace: shown.workspace, peer: shown.member, as: mark });
    print({ ...shown, ...marked }, `${safe(marked.name)} ${SAID[mark]}`);
  },
};

const SAID = {
  verified: "is verified, on all of your machines",
  accepted: "is taken as it is; nobody has compared the key",
  unverified: "isn't verified any more",
} as const;

async function isTheSame(context: Context, shown: Shown): Promise<boolean> {
  context.endless();
  process.stderr.write(`${numberText(shown)}\n\n`);
  const answer = await askLine("Did they read the same to you? [y/N] ");
  context.limited();
  return /^y(es)?$/i.test(answer.trim());
}

function numberText({ name, digits, words, ...standing }: Shown): string {
  const lines = (all: readonly string[], perLine: number) =>
    all.flatMap((_, i) => (i % perLine === 0 ? [`  ${all.slice(i, i + perLine).join(" ")}`] : []));
  return [
    `The safety number of you and ${safe(name)}${verifiedMark(standing)}; ${safe(name)} sees the same. Compare aloud, or over a channel you trust:`,
    ...keyWarning(standing),
    "",
    ...lines(digits, 4),
    "",
    ...lines(words, 6),
  ].join("\n");
}

export const peerVerbs = [list, show, search, verify];
