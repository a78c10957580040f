// No entry survives a changed bit, whoever changed it.
import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { nodeCurves } from "#adapters/curves.ts";
import { MeshError } from "#protocol/errors.ts";
import { decodeRecord } from "#protocol/record.ts";
import { found, type Step } from "#test/chain-builder.ts";
import { codeOfAsync } from "#test/code-of.ts";
import { deviceOf, person } from "#test/person.ts";
import { admit } from "./admit.ts";
import { decodeEntry, encodeEntry } from "./entries.ts";
import type { ChainState } from "./state.ts";

let workspace = "";
/** One entry of each type, with the state before it. */
let entries: { step: Step; before: ChainState | null }[] = [];

beforeAll(async () => {
  const [alice, bob] = await Promise.all([person("alice"), person("bob")]);
  const chain = await found(alice);
  await chain.epoch(alice);
  await chain.join(bob, await chain.invite(alice));
  await chain.share(alice);
  await chain.addDevice(bob, await deviceOf(bob, "phone"));
  await chain.leave(bob);
  await chain.epoch(alice);
  workspace = chain.workspace;
  entries = chain.steps.map((step, i) => ({ step, before: chain.steps[i - 1]?.state ?? null }));
});

const REFUSALS = [
  "bad_record",
  "bad_signature",
  "wrong_author",
  "unknown_device",
  "not_allowed",
  "chain_invalid",
  "chain_conflict",
  "conflict",
  "invite_not_found",
  "invite_bad_signature",
];

async function judge(bytes: Uint8Array, before: ChainState | null, sequence: number): Promise<string> {
  const run = async () => admit(nodeCurves, workspace, before, decodeRecord(bytes), sequence);
  return codeOfAsync(run());
}

test("a flipped bit anywhere in an entry's record has it refused by name", async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(entries.length - 1), fc.nat(), fc.nat(7), async (which, place, bit) => {
      const entry = entries[which];
      if (!entry) throw new Error("no such entry");
      const bytes = new Uint8Array(entry.step.bytes);
      const at = place % bytes.length;
      bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
      expect(REFUSALS).toContain(await judge(bytes, entry.before, entry.step.sequence));
    }),
    { numRuns: 800 },
  );
});

test("a cut entry is refused at every length", async () => {
  for (const { step, before } of entries) {
    for (let length = 0; length < step.bytes.length; length += 7) {
      expect(REFUSALS).toContain(await judge(step.bytes.subarray(0, length), before, step.sequence));
    }
  }
});

test("an entry of one workspace is refused in another", async () => {
  for (const { step, before } of entries.slice(1)) {
    const elsewhere = admit(nodeCurves, step.record.header.from, before, step.record, step.sequence);
    await expect(elsewhere).rejects.toThrow(MeshError);
  }
});

test("an entry's text is one for one value", () => {
  for (const { step } of entries) {
    expect(encodeEntry(decodeEntry(step.record.body))).toEqual(new Uint8Array(step.record.body));
  }
});
