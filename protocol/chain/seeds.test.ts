// Newer seeds: whose root says so, and what is sealed to which key.
import { beforeAll, expect, test } from "vitest";
import { toBase64url } from "#protocol/bytes.ts";
import { unwrapKey } from "#protocol/key-box.ts";
import { boxKey, found } from "#test/chain-builder.ts";
import { codeOfAsync } from "#test/code-of.ts";
import { type Person, person, sealingKeys, withSeed } from "#test/person.ts";
import { currentEpoch } from "./state.ts";

let alice: Person;
let bob: Person;

beforeAll(async () => {
  [alice, bob] = await Promise.all([person("alice"), person("bob")]);
});

async function team() {
  const chain = await found(alice);
  await chain.epoch(alice);
  const invite = await chain.invite(alice, { uses: 5 });
  await chain.join(bob, invite);
  await chain.share(alice);
  return { chain, invite };
}

test("a newer seed's key takes the place of the one before, which is kept; the epoch is stale", async () => {
  const { chain } = await team();
  const newer = withSeed(bob, 2);
  await chain.rotateSeed(newer);
  const { publicKey: before } = await sealingKeys(bob, chain.workspace);
  const { publicKey } = await sealingKeys(newer, chain.workspace);
  const member = chain.state.members.get(bob.id);
  expect(member).toMatchObject({ seed: 2, sealing: publicKey });
  expect([...(member?.sealings ?? [])]).toEqual([
    [1, before],
    [2, publicKey],
  ]);
  expect(chain.state.stale).toBe(true);
});

test("an epoch says to which of a member's keys it is sealed", async () => {
  const { chain } = await team();
  const newer = withSeed(bob, 7);
  await chain.rotateSeed(newer);
  await chain.epoch(alice);
  const [first, second] = chain.state.epochs.map(({ sealed }) => sealed.get(bob.id));
  expect([first?.toSeed, second?.toSeed]).toEqual([1, 7]);
  if (!second) throw new Error("bob is sealed epoch 1");
  const open = async (who: Person) =>
    unwrapKey(await boxKey(who, chain.workspace, 1, second.bySealing), second.box);
  expect(await open(newer)).toEqual(chain.keys[1]);
  expect(await open(bob)).toBeNull();
  expect(currentEpoch(chain.state)?.number).toBe(1);
});

test("a seed is refused as bad_signature unless its member's root signed this number and key, here", async () => {
  const { chain } = await team();
  const newer = withSeed(bob, 2);
  const entry = await chain.draft.seed(newer);
  const elsewhere = await found(alice, "another workspace");
  const others = await Promise.all([
    chain.draft.seed({ ...newer, rootSeed: alice.rootSeed }),
    chain.draft.seed({ ...newer, rootSeed: bob.device.seed }),
    chain.draft.seed(withSeed(bob, 3)),
    elsewhere.draft.seed(newer),
  ]);
  for (const { proof } of [...others, { proof: "" }]) {
    expect(await codeOfAsync(chain.append(bob, { ...entry, proof }))).toBe("bad_signature");
  }
  const { publicKey } = await sealingKeys(alice, chain.workspace);
  for (const change of [{ number: 3 }, { sealing: toBase64url(publicKey) }]) {
    expect(await codeOfAsync(chain.append(bob, { ...entry, ...change }))).toBe("bad_signature");
  }
  expect(await codeOfAsync(chain.append(alice, entry))).toBe("bad_signature");
});

test("a seed is refused as chain_conflict unless its number is higher, as chain_invalid with a short key", async () => {
  const { chain } = await team();
  const newer = withSeed(bob, 2);
  const entry = await chain.draft.seed(newer);
  await chain.append(bob, entry);
  expect(await codeOfAsync(chain.append(bob, entry))).toBe("chain_conflict");
  expect(await codeOfAsync(chain.rotateSeed(bob))).toBe("chain_conflict");
  expect(await codeOfAsync(chain.append(bob, { ...entry, sealing: "" }))).toBe("chain_invalid");
  expect(await codeOfAsync(chain.append(bob, { ...entry, number: 2 ** 32 + 3 }))).toBe("chain_invalid");
});

test("who comes back brings the same key or a newer one, never an older or another of the same number", async () => {
  const { chain, invite } = await team();
  const newer = withSeed(bob, 2);
  await chain.rotateSeed(newer);
  await chain.leave(bob);
  expect(await codeOfAsync(chain.join(bob, invite))).toBe("chain_invalid");
  const other = { ...newer, seed: alice.seed };
  expect(await codeOfAsync(chain.join(other, invite))).toBe("chain_invalid");
  await chain.join(newer, invite);
  expect([...(chain.state.members.get(bob.id)?.sealings.keys() ?? [])]).toEqual([1, 2]);
});
