/** peers */
import type { PeerListing } from "#protocol/features/member.ts";
import { paint, safe } from "../print.ts";
import type { Verb } from "../verb.ts";

function lines({ name, role, online, you, workspace, sessions }: PeerListing): string[] {
  const dot = online ? paint("green", "●") : "○";
  const head = `${dot} ${safe(name)}${you ? " (you)" : ""}  ${paint("dim", `${role} in ${workspace}`)}`;
  return [
    head,
    ...sessions.map(
      ({ address, status, cwd, host }) =>
        `    ${safe(address)}  ${status}  ${safe(cwd ?? "")} on ${safe(host)}`,
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
    print({ peers }, peers.flatMap(lines).join("\n"));
  },
};

export const peerVerbs = [list];
