// The committed chain, read as a stranger would: keys first, then entry by entry.
import { createHash } from "node:crypto";
import nacl from "tweetnacl";
import { expect, test } from "vitest";
import { nodeCurves } from "#adapters/curves.ts";
import { fromBase64url, fromUtf8, toBase64url } from "#protocol/bytes.ts";
import { certificateInput } from "#protocol/certificate.ts";
import { admit } from "#protocol/chain/admit.ts";
import { decodeEntry, encodeEntry } from "#protocol/chain/entries.ts";
import { joinProofInput } from "#protocol/chain/proofs.ts";
import { type ChainState, currentEpoch } from "#protocol/chain/state.ts";
import {
  epochCommitment,
  epochWrapKey,
  idOf,
  inviteSeed,
  memberSealingSecret,
  pairKey,
  previousWrapKey,
} from "#protocol/derive.ts";
import { unwrapKey } from "#protocol/key-box.ts";
import { decodeRecord, recordHash } from "#protocol/record.ts";
import { codeOfAsync } from "#test/code-of.ts";
import chain from "./chain.json" with { type: "json" };

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const bytes = (text: string) => Uint8Array.from(Buffer.from(text, "hex"));
const { workspace } = chain;

/** The state after each entry. */
async function states(): Promise<ChainState[]> {
  const all: ChainState[] = [];
  for (const { record, sequence } of chain.entries) {
    all.push(await admit(nodeCurves, workspace, all.at(-1) ?? null, decodeRecord(bytes(record)), sequence));
  }
  return all;
}

test("people and devices are who their keys make them", async () => {
  for (const who of chain.people) {
    const sealing = memberSealingSecret(bytes(who.seed), who.id, workspace, who.seedNumber);
    expect(hex(await nodeCurves.signingPublicKey(bytes(who.rootSeed)))).toBe(who.rootKey);
    expect([idOf(bytes(who.rootKey)), hex(sealing)]).toEqual([who.id, who.sealingSecret]);
    expect(hex(await nodeCurves.sealingPublicKey(sealing))).toBe(who.sealingKey);
  }
  for (const device of chain.devices) {
    const owner = chain.people.find(({ id }) => id === device.member);
    const { publicKey, secretKey } = nacl.sign.keyPair.fromSeed(bytes(owner?.rootSeed ?? ""));
    expect(hex(certificateInput(device.member, bytes(device.key)))).toBe(device.certificateInput);
    expect(hex(nacl.sign.detached(bytes(device.certificateInput), secretKey))).toBe(device.certificate);
    expect([hex(publicKey), idOf(bytes(device.key))]).toEqual([owner?.rootKey, device.id]);
  }
});

test("the invite's secret gives its key, the key the joiner's proof", async () => {
  const { invite } = chain;
  const joiner = chain.people.find(({ id }) => id === invite.joiner);
  const root = bytes(joiner?.rootKey ?? "");
  const sealing = bytes(joiner?.sealingKey ?? "");
  const { publicKey, secretKey } = nacl.sign.keyPair.fromSeed(bytes(invite.seed));
  expect([hex(inviteSeed(bytes(invite.secret))), hex(publicKey)]).toEqual([invite.seed, invite.key]);
  expect(hex(joinProofInput(workspace, { code: invite.code, user: invite.joiner, root, sealing }))).toBe(
    invite.proofInput,
  );
  expect(hex(nacl.sign.detached(bytes(invite.proofInput), secretKey))).toBe(invite.proof);
});

test("entries are decoded and encoded to the same text", () => {
  for (const { entry, record } of chain.entries) {
    const { body } = decodeRecord(bytes(record));
    expect(fromUtf8(body)).toBe(entry);
    expect(fromUtf8(encodeEntry(decodeEntry(body)))).toBe(entry);
  }
});

test("each entry is admitted and leads to its head", async () => {
  const heads = (await states()).map(({ head }) => head);
  expect(heads).toEqual(chain.entries.map(({ height, hash }) => ({ height, hash })));
  for (const { record, hash } of chain.entries) {
    expect(createHash("sha256").update(bytes(record)).digest("base64url")).toBe(hash);
    expect(recordHash(bytes(record))).toBe(hash);
  }
});

test("members open the workspace keys with their own secrets alone", async () => {
  const key = async (state: ChainState | undefined, name: string) => {
    const who = chain.people.find((each) => each.name === name);
    const epoch = state && currentEpoch(state);
    const box = epoch?.sealed.get(who?.id ?? "");
    if (!who || !epoch || !box) return "none";
    const pair = await pairKey(nodeCurves, bytes(who.sealingSecret), box.bySealing);
    const opened = unwrapKey(epochWrapKey(pair, workspace, epoch.number), box.box) ?? bytes("");
    expect(toBase64url(epochCommitment(opened, workspace, epoch.number))).toBe(toBase64url(epoch.commitment));
    return hex(opened);
  };
  const all = await states();
  const [first = "", second = ""] = chain.workspaceKeys;
  expect([await key(all[1], "alice"), await key(all[3], "bob"), await key(all[4], "bob")]).toEqual([
    first,
    "none",
    first,
  ]);
  expect([await key(all.at(-1), "alice"), await key(all.at(-1), "bob")]).toEqual([second, "none"]);
  const previous = all.at(-1)?.epochs.at(-1)?.previous ?? bytes("");
  expect(hex(unwrapKey(previousWrapKey(bytes(second), workspace, 1), previous) ?? bytes(""))).toBe(first);
});

test.each(chain.refused)("refused: $why", async ({ after, sequence, record, code }) => {
  const before = (await states())[after] ?? null;
  expect(await codeOfAsync(admit(nodeCurves, workspace, before, decodeRecord(bytes(record)), sequence))).toBe(
    code,
  );
  expect(code).not.toBe("accepted");
});

test("every certificate in an entry is the device's", () => {
  const certificates = chain.entries.flatMap(
    ({ entry }) => /"certificate":"([\w-]+)"/.exec(entry)?.[1] ?? [],
  );
  expect(certificates.map((text) => hex(fromBase64url(text)))).toEqual(
    chain.devices.map((device) => device.certificate),
  );
});
