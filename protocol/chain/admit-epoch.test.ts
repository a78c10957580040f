// Epochs: who may begin or share one, and to whom it is sealed.
import { beforeAll, describe, expect, test } from "vitest";
import { nodeCurves } from "#adapters/curves.ts";
import { toBase64url } from "#protocol/bytes.ts";
import { epochCommitment, previousWrapKey } from "#protocol/derive.ts";
import { unwrapKey } from "#protocol/key-box.ts";
import { boxKey, found, type TestChain } from "#test/chain-builder.ts";
import { codeOfAsync } from "#test/code-of.ts";
import { fixedBytes, type Person, person } from "#test/person.ts";
import { awaitingKey, currentEpoch } from "./state.ts";

let alice: Person;
let bob: Person;
let carol: Person;
let guest: Person;

beforeAll(async () => {
  [alice, bob, carol, guest] = await Promise.all([
    person("alice"),
    person("bob"),
    person("carol"),
    person("guest"),
  ]);
});

/** Alice, bob and a guest; bob has no key yet. */
async function team(): Promise<TestChain> {
  const chain = await found(alice);
  await chain.epoch(alice);
  await chain.join(bob, await chain.invite(alice));
  await chain.join(guest, await chain.invite(alice, { role: "guest" }));
  return chain;
}

const commitment = toBase64url(fixedBytes("another key's commitment"));
const box = toBase64url(fixedBytes("box", 64));

describe("an epoch", () => {
  test("gives each member the key, and by it the keys before", async () => {
    const chain = await team();
    await chain.share(alice);
    await chain.epoch(bob);
    const epoch = currentEpoch(chain.state);
    const sealed = epoch?.sealed.get(alice.id);
    if (!epoch || !sealed) throw new Error("alice was left out");
    const key = unwrapKey(await boxKey(alice, chain.workspace, 1, sealed.bySealing), sealed.box);
    expect(key).toEqual(chain.keys[1]);
    if (!key) throw new Error("the box does not open");
    expect(epochCommitment(key, chain.workspace, 1)).toEqual(epoch.commitment);
    expect(unwrapKey(previousWrapKey(key, chain.workspace, 1), epoch.previous)).toEqual(chain.keys[0]);
  });

  test("can be shared with joiners one by one", async () => {
    const chain = await team();
    await chain.join(carol, await chain.invite(alice));
    const entry = await chain.draft.share(alice);
    const toBob = { ...entry, sealed: { [bob.id]: entry.sealed[bob.id] ?? "" } };
    await chain.append(alice, toBob);
    expect(awaitingKey(chain.state).map((member) => member.id)).toEqual([carol.id]);
    await chain.share(bob);
    expect(currentEpoch(chain.state)?.sealed.get(carol.id)?.by).toBe(bob.id);
  });

  test("ends being stale with the next one", async () => {
    const chain = await team();
    await chain.leave(bob);
    expect(chain.state.stale).toBe(true);
    await chain.epoch(alice);
    expect(chain.state.stale).toBe(false);
    expect([...(currentEpoch(chain.state)?.sealed.keys() ?? [])]).toEqual([alice.id]);
  });
});

describe("a new epoch is refused as chain_invalid", () => {
  const refused = async (change: (entry: Awaited<ReturnType<TestChain["draft"]["epoch"]>>) => object) => {
    const chain = await team();
    const entry = await chain.draft.epoch(alice);
    expect(await codeOfAsync(chain.append(alice, { ...entry, ...change(entry) }))).toBe("chain_invalid");
    await chain.append(alice, entry);
  };

  test("when a member is missing", () =>
    refused(({ sealed }) => ({ sealed: { [alice.id]: sealed[alice.id] } })));
  test("when a guest is in it", () => refused(({ sealed }) => ({ sealed: { ...sealed, [guest.id]: box } })));
  test("when a stranger is in it", () =>
    refused(({ sealed }) => ({ sealed: { ...sealed, [carol.id]: box } })));
  test("when a stranger takes a member's place", () =>
    refused(({ sealed }) => ({ sealed: { [alice.id]: sealed[alice.id], [carol.id]: box } })));
  test("when its number leaves one out", () => refused(() => ({ number: 2 })));
  test("when it carries no key before it", () => refused(() => ({ previous: "" })));
  test("when its commitment is cut", () => refused(() => ({ commitment: commitment.slice(0, 40) })));

  test("when the first one is not number 0, or carries a key before it", async () => {
    const chain = await found(alice);
    const entry = await chain.draft.epoch(alice);
    expect(await codeOfAsync(chain.append(alice, { ...entry, number: 1 }))).toBe("chain_invalid");
    expect(await codeOfAsync(chain.append(alice, { ...entry, previous: box }))).toBe("chain_invalid");
  });
});

describe("sharing an epoch is refused", () => {
  test("as chain_invalid with another commitment: nobody is handed another key", async () => {
    const chain = await team();
    const entry = await chain.draft.share(alice);
    expect(await codeOfAsync(chain.append(alice, { ...entry, commitment }))).toBe("chain_invalid");
  });

  test("as chain_invalid with a key before it, and once somebody has left", async () => {
    const chain = await team();
    await chain.join(carol, await chain.invite(alice));
    const entry = await chain.draft.share(alice);
    expect(await codeOfAsync(chain.append(alice, { ...entry, previous: box }))).toBe("chain_invalid");
    await chain.leave(carol);
    expect(await codeOfAsync(chain.share(alice))).toBe("chain_invalid");
  });

  test("as chain_conflict to whoever needs none: holders, guests, strangers, nobody", async () => {
    const chain = await team();
    const entry = await chain.draft.share(alice);
    for (const id of [alice.id, guest.id, carol.id]) {
      const sealed = { ...entry.sealed, [id]: box };
      expect(await codeOfAsync(chain.append(alice, { ...entry, sealed }))).toBe("chain_conflict");
    }
    expect(await codeOfAsync(chain.append(alice, { ...entry, sealed: {} }))).toBe("chain_conflict");
  });

  test("as chain_invalid with an earlier number", async () => {
    const chain = await team();
    const entry = await chain.draft.share(alice);
    await chain.epoch(alice);
    expect(await codeOfAsync(chain.append(alice, entry))).toBe("chain_invalid");
  });
});

describe("an epoch is refused", () => {
  test("by a guest as not_allowed", async () => {
    const chain = await team();
    expect(await codeOfAsync(chain.epoch(guest))).toBe("not_allowed");
  });

  test("by a stranger as unknown_device", async () => {
    const chain = await team();
    expect(await codeOfAsync(chain.epoch(carol))).toBe("unknown_device");
  });

  test("by somebody who has left as unknown_device", async () => {
    const chain = await team();
    await chain.share(alice);
    await chain.leave(bob);
    expect(await codeOfAsync(chain.epoch(bob))).toBe("unknown_device");
  });

  test("in a member's name as wrong_author, and by its key's thief as bad_signature", async () => {
    const chain = await team();
    const entry = await chain.draft.epoch(alice);
    expect(await codeOfAsync(chain.append(bob, entry, { from: alice.id }))).toBe("wrong_author");
    const thief = { ...alice.device, seed: bob.device.seed };
    expect(await codeOfAsync(chain.append(alice, entry, { signer: thief }))).toBe("bad_signature");
    expect(await nodeCurves.signingPublicKey(thief.seed)).not.toEqual(thief.key);
  });
});
