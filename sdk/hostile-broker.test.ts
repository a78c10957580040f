import { expect, test } from "vitest";
import { nodeCurves } from "#adapters/curves.ts";
import { decodeRecordFrame, encodeRecordFrame } from "#protocol/frames.ts";
import { CHAIN } from "#protocol/ids.ts";
import {
  decodeRecord,
  encodeHeader,
  encodeRecord,
  recordSignatureInput,
  type SealedRecord,
} from "#protocol/record.ts";
import { CALLER, createMesh, type Frame, type Member, refusedWith, type Tamper } from "#test/mesh.ts";
import { nextPlace, signEntry } from "./membership/chain.ts";
import { createKeyring } from "./membership/keyring.ts";

const texts = async (member: Member) => (await member.inbox()).map(({ text }) => text);

/** Changes the pushed records that `which` picks; the answer is what is pushed instead. */
function onPush(
  which: (record: SealedRecord) => boolean,
  change: (record: SealedRecord, frame: Uint8Array) => readonly Uint8Array[],
): Tamper {
  return (frame: Frame) => {
    if (typeof frame === "string") return [frame];
    const record = decodeRecord(decodeRecordFrame(frame).record);
    return which(record) ? change(record, frame) : [frame];
  };
}

function withRecord(frame: Uint8Array, record: Uint8Array): Uint8Array {
  return encodeRecordFrame(decodeRecordFrame(frame).outer, record);
}

function flipped(record: SealedRecord, part: "signature" | "body"): Uint8Array {
  const copy = { signature: Uint8Array.from(record.signature), body: Uint8Array.from(record.body) };
  copy[part][20] = (copy[part][20] ?? 0) ^ 1;
  return encodeRecord(record.headerBytes, copy.signature, copy.body);
}

async function three() {
  const mesh = await createMesh();
  const [alice, bob, mallory] = [
    await mesh.person("alice"),
    await mesh.person("bob"),
    await mesh.person("mallory"),
  ];
  await mesh.team(alice, bob, mallory);
  const from = (member: Member) => (record: SealedRecord) =>
    record.header.from === member.peer.account.user && record.header.to !== CHAIN;
  return { mesh, alice, bob, mallory, from };
}

test.each(["signature", "body"] as const)(
  "a record with one changed bit in its %s is refused, and the next one is taken",
  async (part) => {
    const { alice, bob, from } = await three();
    bob.toDevice = onPush(from(alice), (record, frame) => [withRecord(frame, flipped(record, part))]);
    await alice.send("bob", "changed on the way");
    await bob.until(() => bob.refusals().length === 1, "the refusal");
    expect(bob.refusals()).toEqual(["bad_signature"]);
    bob.toDevice = (frame) => [frame];
    await alice.send("bob", "whole");
    await bob.until(async () => (await texts(bob)).length === 1, "the next message");
    expect(await texts(bob)).toEqual(["whole"]);
  },
);

test("a record that names another author than its signer's is refused", async () => {
  const { alice, bob, mallory, from } = await three();
  const { workspace } = mallory.opened();
  let forged = new Uint8Array(0);
  const sealed = new Promise<SealedRecord>((resolve) => {
    bob.toDevice = onPush(from(mallory), (record) => {
      resolve(record);
      return [];
    });
  });
  await mallory.send("bob", "as myself");
  const record = await sealed;
  const headerBytes = encodeHeader({ ...record.header, from: alice.peer.account.user });
  const signature = await nodeCurves.sign(
    mallory.peer.account.device.secret,
    recordSignatureInput(workspace.id, headerBytes, record.body),
  );
  forged = Uint8Array.from(encodeRecord(headerBytes, signature, record.body));
  bob.toDevice = onPush(from(mallory), (_, frame) => [withRecord(frame, forged)]);
  await mallory.send("bob", "as alice");
  await bob.until(() => bob.refusals().length === 1, "the refusal");
  expect(bob.refusals()).toEqual(["wrong_author"]);
  expect(await texts(bob)).toEqual([]);
});

test("a record pushed again at another place counts once", async () => {
  const { alice, bob, from } = await three();
  bob.toDevice = onPush(from(alice), (_, frame) => {
    const { outer, record } = decodeRecordFrame(frame);
    return outer.type === "push"
      ? [frame, encodeRecordFrame({ ...outer, seq: outer.seq + 1 }, record)]
      : [frame];
  });
  await alice.send("bob", "once");
  await bob.until(async () => (await texts(bob)).length > 0, "the message");
  await bob.until(() => bob.opened().workspace.replica.outboxSize() === 0, "the receipt to leave");
  expect(await texts(bob)).toEqual(["once"]);
});

test("a membership entry kept back shows in the next record of somebody who knows it", async () => {
  const { alice, bob } = await three();
  bob.toDevice = onPush(
    (record) => record.header.to === CHAIN,
    () => [],
  );
  await alice.handlers.invite.create({}, CALLER, () => {});
  await alice.send("bob", "I know more than you");
  await bob.until(() => bob.refusals().length === 1, "the refusal");
  expect(bob.refusals()).toEqual(["chain_withheld"]);
});

test("two different chains show as soon as their members talk", async () => {
  const { alice, bob } = await three();
  const { workspace } = alice.opened();
  const chain = workspace.chain();
  const head = chain?.head ?? null;
  const entry = {
    type: "invite" as const,
    code: "AAAAAAAA",
    key: "A".repeat(43),
    role: "member" as const,
    expiresAt: 1,
    uses: 1,
  };
  const place = nextPlace({ state: chain, hashes: [] }, "01a00000-0000-7000-8000-000000000001", 99);
  const other = await signEntry(
    alice.peer.ports,
    alice.peer.account,
    workspace.id,
    { ...place, head },
    entry,
  );
  bob.toDevice = onPush(
    (record) => record.header.to === CHAIN,
    (_, frame) => [withRecord(frame, other)],
  );
  await alice.handlers.invite.create({}, CALLER, () => {});
  await alice.send("bob", "on my chain");
  await bob.until(() => bob.refusals().length === 1, "the refusal");
  expect(bob.refusals()).toEqual(["chain_forked"]);
});

test("a changed membership entry halts the workspace: nothing more is taken or sealed", async () => {
  const { alice, bob, from } = await three();
  bob.toDevice = onPush(
    (record) => record.header.to === CHAIN,
    (record, frame) => [withRecord(frame, flipped(record, "signature"))],
  );
  let sent = 0;
  bob.toBroker = (frame) => {
    if (typeof frame !== "string" && from(bob)(decodeRecord(decodeRecordFrame(frame).record))) sent++;
    return [frame];
  };
  await alice.handlers.invite.create({}, CALLER, () => {});
  await bob.until(() => bob.opened().workspace.trouble() !== null, "the distrust");
  expect(bob.opened().workspace.trouble()?.code).toBe("bad_signature");
  await bob.send("alice", "kept here");
  expect(bob.opened().workspace.link()).toBe("offline");
  expect(sent).toBe(0);
});

test("a joiner refuses a chain that begins with another genesis", async () => {
  const { mesh, alice } = await three();
  const other = await mesh.person("other");
  await mesh.team(other);
  const genesis = other.opened().workspace.replica.chain()[0]?.bytes ?? new Uint8Array(0);
  const dave = await mesh.person("dave");
  dave.toDevice = onPush(
    (record) => record.header.head === null,
    (_, frame) => [withRecord(frame, genesis)],
  );
  const { url } = await alice.handlers.invite.create({}, CALLER, () => {});
  expect(await refusedWith(dave.handlers.invite.accept({ url }, CALLER, () => {}))).toBe("chain_invalid");
  expect(dave.peer.opened()).toEqual([]);
});

test("a workspace key that isn't the one its entry committed to is no key", async () => {
  const { bob } = await three();
  const { peer } = bob;
  const chain = bob.opened().workspace.chain();
  if (!chain) throw new Error("bob has the chain");
  const honest = createKeyring(peer.ports, chain.workspace, peer.account);
  expect(await honest.learn(chain)).toBe(true);
  const swapped = createKeyring(peer.ports, chain.workspace, peer.account);
  const epochs = chain.epochs.map((epoch) => ({ ...epoch, commitment: new Uint8Array(32) }));
  expect(await swapped.learn({ ...chain, epochs })).toBe(false);
  expect(swapped.workspaceKey(0)).toBeNull();
});
