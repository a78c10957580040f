// No entry survives a changed bit, whoever changed it.
import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { nodeCurves } from "#adapters/curves.ts";
import { MeshError } from "#protocol/errors.ts";
import { decodeRecord } from "#protocol/record.ts";
import { found, type Step } from "#test/chain-builder.ts";
import { codeOfAsync } from "#test/code-of.ts";
import { deviceOf, pairedDevice, person, withSeed } from "#test/person.ts";
import { admit } from "./admit.ts";
import { chainEntry, decodeEntry, encodeEntry } from "./entries.ts";
import type { ChainState } from "./state.ts";

let workspace = "";
/** Entries of all types, with the state before it. */
let entries: { step: Step; before: ChainState | null }[] = [];

beforeAll(async () => {
  const names = ["alice", "bob", "carol", "bobby"];
  const [alice, bob, carol, bobby] = await Promise.all(names.map(person));
  if (!alice || !bob || !carol || !bobby) throw new Error("four people");
  const chain = await found(alice);
  await chain.epoch(alice);
  const invite = await chain.invite(alice, { uses: 2 });
  await chain.join(bob, invite);
  await chain.join(carol, invite);
  await chain.share(alice);
  const phone = await deviceOf(bob, "phone");
  const tablet = await pairedDevice(bob, phone, "tablet");
  await chain.addDevice(bob, phone);
  await chain.addDevice(bob, tablet);
  await chain.revokeDevices(bob, [phone.id]);
  await chain.rotateSeed(withSeed(bob, 2));
  await chain.offerTo(alice, bob);
  await chain.accept(bob);
  await chain.migrate(bob, bobby);
  await chain.append(bobby, { type: "role", member: carol.id, role: "guest" });
  await chain.append(bobby, { type: "revoke", code: (await chain.invite(bobby)).code });
  await chain.append(bobby, { type: "remove", member: carol.id });
  await chain.leave(alice);
  await chain.epoch(bobby);
  workspace = chain.workspace;
  entries = chain.steps.map((step, i) => ({ step, before: chain.steps[i - 1]?.state ?? null }));
});

const REFUSALS = [
  "bad_record",
  "bad_signature",
  "wrong_author",
  "unknown_device",
  "device_revoked",
  "not_allowed",
  "not_found",
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
    { numRuns: 2000 },
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

test("every type of entry is among them", () => {
  const types = entries.map(({ step }) => decodeEntry(step.record.body).type);
  expect([...new Set(types)].sort()).toEqual(chainEntry.options.map(({ shape }) => shape.type.value).sort());
});

test("an entry's text is one for one value", () => {
  for (const { step } of entries) {
    expect(encodeEntry(decodeEntry(step.record.body))).toEqual(new Uint8Array(step.record.body));
  }
});
