/** peer grant, revoke, grants, block, unblock */
import { MeshError } from "#protocol/errors.ts";
import type { Client } from "#protocol/registry.ts";
import { RIGHTS, type Right } from "#protocol/rights.ts";
import { string } from "../input.ts";
import { paint, safe, table } from "../print.ts";
import type { Verb } from "../verb.ts";

type Listing = Awaited<ReturnType<Client["peer"]["grants"]>>["grants"][number];

/** @throws MeshError usage */
function rightsIn(words: readonly string[]): Right[] {
  return words.map((word) => {
    const found = RIGHTS.find((one) => one === word);
    if (found) return found;
    throw new MeshError("usage", `"${word}" is no right.`, `There are ${RIGHTS.join(", ")}.`);
  });
}

function row({ name, workspace, blocked, rights, sessions }: Listing): string[] {
  const some = Object.entries(sessions).map(([session, its]) => `${its.join(", ")} in ${session}`);
  const may = [...(rights.length > 0 ? [rights.join(", ")] : []), ...some].join("; ");
  return [safe(name), workspace, blocked ? paint("red", "blocked") : safe(may || "nothing")];
}

const grant: Verb = {
  name: "peer grant",
  args: ["PEER", "RIGHT…"],
  options: { session: { type: "string", value: "S", about: "to that session of yours alone" } },
  summary: `let a member do that to you: ${RIGHTS.join(", ")}`,
  examples: ["claudemesh peer grant alice ask", "claudemesh peer grant alice read-files --session payments"],
  async run({ args, options, workspace, daemon, print }) {
    const [peer = "", ...words] = args;
    const params = { workspace, peer, rights: rightsIn(words), session: string(options.session) };
    const client = await daemon();
    const listing = await client.peer.grant(params);
    print(listing, table([row(listing)]));
  },
};

const revoke: Verb = {
  name: "peer revoke",
  args: ["PEER", "[RIGHT…]"],
  options: { all: { type: "boolean", about: "every right" } },
  summary: "not any more; who may not message you is told so when they try",
  examples: ["claudemesh peer revoke alice ask", "claudemesh peer revoke alice --all"],
  async run({ args, options, workspace, daemon, print }) {
    const [peer = "", ...words] = args;
    const rights = options.all === true ? [...RIGHTS] : rightsIn(words);
    if (rights.length === 0)
      throw new MeshError("usage", "peer revoke: RIGHT… is missing.", `Example: ${revoke.examples[0]}`);
    const client = await daemon();
    const listing = await client.peer.revoke({ workspace, peer, rights });
    print(listing, table([row(listing)]));
  },
};

const grants: Verb = {
  name: "peer grants",
  args: ["[PEER]"],
  summary: "what members may do to you",
  examples: ["claudemesh peer grants", "claudemesh peer grants alice"],
  async run({ args, workspace, daemon, print }) {
    const client = await daemon();
    const { grants: all } = await client.peer.grants({ workspace, peer: args[0] });
    print({ grants: all }, all.length > 0 ? table(all.map(row)) : "Nobody else is here.");
  },
};

function blocking(verb: "block" | "unblock", summary: string): Verb {
  const ask = (client: Client, params: { workspace: string | undefined; peer: string }) =>
    client.peer[verb](params);
  return {
    name: `peer ${verb}`,
    args: ["PEER"],
    summary,
    examples: [`claudemesh peer ${verb} alice`],
    async run({ args, workspace, daemon, print }) {
      const listing = await ask(await daemon(), { workspace, peer: args[0] ?? "" });
      print(listing, table([row(listing)]));
    },
  };
}

export const grantVerbs = [
  grant,
  revoke,
  grants,
  blocking("block", "show nothing of theirs any more; they can't tell"),
  blocking("unblock", "show it again, with what came meanwhile"),
];
