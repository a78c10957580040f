/** What the mesh costs a model: tokens that each session carries, and what a message costs over its text. */
import { readFileSync } from "node:fs";
import { countTokens } from "@anthropic-ai/tokenizer";
import { envelopeOf } from "#daemon/delivery/fence.ts";
import { messageOf } from "#test/message.ts";
import { initialized } from "./adapter.ts";
import type { Bench } from "./figure.ts";
import { withHomes } from "./home.ts";

const ID = "0190aaaa-bbbb-7ccc-8ddd-eeee3f2a91bc";
const FROM = { member: "m", name: "alice", verified: true, keyChanged: null };
const TEXTS = [
  "The build is red on main since 4f2c: RefundTest.partial says 409. Is that your change in ledger.ts?",
  "yes",
  "I am about to rename `Account.balance` to `Account.available` in the shared schema; the migration runs at 14:00 UTC. Tell me if the importer reads it by name.",
];

export const context: Bench = {
  name: "context",
  run: () =>
    withHomes(["alice"], async (home) => {
      if (!home) throw new Error("no home");
      const { instructions, capabilities } = await initialized(home);
      if ("tools" in capabilities) throw new Error("the adapter has tools now: count them");
      const skill = readFileSync(`${import.meta.dirname}/../install/claude/skill/SKILL.md`, "utf8");
      const about = /^description: (.*)$/m.exec(skill)?.[1] ?? "";
      // As the client lists them to its model.
      const idle = countTokens(`## claudemesh\n${instructions}\n- claudemesh: ${about}\n`);
      const over = TEXTS.flatMap((text) =>
        ["alice", "alice/payments"].map((address) => {
          const letter = envelopeOf([messageOf(ID, text, { from: { ...FROM, address } })], false).text;
          return countTokens(letter) - countTokens(text);
        }),
      );
      const nothing = [0];
      return [
        {
          name: "what an idle session carries",
          unit: "tokens",
          measured: [idle],
          floor: nothing,
          floorName: "no mesh",
          target: "≤ 300",
        },
        {
          name: "a message, over its text",
          unit: "tokens",
          measured: over,
          floor: nothing,
          floorName: "the text alone",
          target: "≤ 60",
        },
      ];
    }),
};
