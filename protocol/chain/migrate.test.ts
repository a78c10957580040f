// One identity becomes another: with both roots' word, in the same place.
import { beforeAll, describe, expect, test } from "vitest";
import { toBase64url } from "#protocol/bytes.ts";
import { found } from "#test/chain-builder.ts";
import { codeOf, codeOfAsync } from "#test/code-of.ts";
import { certify, deviceOf, type Person, person, sealingKeys, withSeed } from "#test/person.ts";
import { authorAt, heirOf } from "./state.ts";

let alice: Person;
let bob: Person;
let carol: Person;
let bobby: Person;

beforeAll(async () => {
  [alice, bob, carol, bobby] = await Promise.all([
    person("alice"),
    person("bob"),
    person("carol"),
    person("bobby"),
  ]);
});

/** bob is an admin, carol a member. */
async function team() {
  const chain = await found(alice);
  await chain.epoch(alice);
  await chain.join(bob, await chain.invite(alice, { role: "admin" }));
  const invite = await chain.invite(alice, { uses: 5 });
  await chain.join(carol, invite);
  await chain.share(alice);
  return { chain, invite };
}

test("a newcomer takes role, place and links of the old one, whose devices fall; the epoch is stale", async () => {
  const { chain } = await team();
  const { code } = await chain.invite(bob);
  const { sequence } = await chain.migrate(bob, bobby);
  const { state } = chain;
  expect([...state.members.keys()]).toEqual([alice.id, bob.id, bobby.id, carol.id]);
  expect(state.members.get(bobby.id)).toMatchObject({
    role: "admin",
    active: true,
    joined: 4,
    invitedBy: alice.id,
  });
  expect(state.members.get(bob.id)).toMatchObject({ active: false, became: bobby.id });
  expect([heirOf(state, bob.id), heirOf(state, carol.id)]).toEqual([bobby.id, carol.id]);
  expect(codeOf(() => authorAt(state, bob.id, bob.device.id, sequence))).toBe("unknown_device");
  expect(authorAt(state, bobby.id, bobby.device.id, sequence).member).toBe(bobby.id);
  expect(state.invites.get(code)?.by).toBe(bobby.id);
  expect(state.stale).toBe(true);
  await chain.append(alice, { type: "role", member: bobby.id, role: "member" });
  expect(chain.state.invites.get(code)?.void).toBe(true);
});

test("the owner's heir owns the workspace, and what the owner had offered isn't offered any more", async () => {
  const { chain } = await team();
  await chain.offerTo(alice, carol);
  await chain.migrate(alice, bobby);
  expect(chain.state.owner).toBe(bobby.id);
  expect(chain.state.members.get(bobby.id)?.role).toBe("owner");
  expect(await codeOfAsync(chain.accept(carol))).toBe("not_allowed");
  await chain.append(bobby, { type: "remove", member: carol.id });
});

test("what was offered to the old one isn't the heir's to take", async () => {
  const { chain } = await team();
  await chain.offerTo(alice, bob);
  await chain.migrate(bob, bobby);
  expect(await codeOfAsync(chain.accept(bobby))).toBe("not_allowed");
});

describe("who is a member already", () => {
  test("keeps the own place and device, and gets the higher of both roles", async () => {
    const { chain } = await team();
    await chain.migrate(bob, carol);
    expect([...chain.state.members.keys()]).toEqual([alice.id, bob.id, carol.id]);
    expect(chain.state.members.get(carol.id)?.role).toBe("admin");
    const other = await team();
    await other.chain.migrate(carol, bob);
    expect(other.chain.state.members.get(bob.id)?.role).toBe("admin");
    await other.chain.migrate(alice, bob);
    expect(other.chain.state).toMatchObject({ owner: bob.id });
    expect(heirOf(other.chain.state, carol.id)).toBe(bob.id);
  });

  test("needs the seed that is in force, and may bring a further device", async () => {
    const { chain } = await team();
    const phone = await deviceOf(carol, "phone");
    expect(await codeOfAsync(chain.migrate(bob, withSeed(carol, 2)))).toBe("chain_invalid");
    await chain.append(bob, await chain.draft.migrate(bob, carol, phone));
    expect([...chain.state.devices.values()].filter(({ member }) => member === carol.id)).toHaveLength(2);
  });
});

test("there and back again: the first is itself once more", async () => {
  const { chain } = await team();
  await chain.migrate(bob, bobby);
  expect(await codeOfAsync(chain.migrate(bob, bobby))).toBe("unknown_device");
  await chain.migrate(bobby, bob);
  expect([heirOf(chain.state, bob.id), heirOf(chain.state, bobby.id)]).toEqual([bob.id, bob.id]);
});

describe("is refused", () => {
  test("without either root's signature over exactly this change, in this workspace", async () => {
    const { chain } = await team();
    const entry = await chain.draft.migrate(bob, bobby);
    const elsewhere = await found(alice, "another workspace");
    const others = await Promise.all([
      elsewhere.draft.migrate(bob, bobby),
      chain.draft.migrate(carol, bobby),
      chain.draft.migrate(bob, carol),
      chain.draft.migrate({ ...bob, rootSeed: bob.device.seed }, { ...bobby, rootSeed: bobby.device.seed }),
      chain.draft.migrate(bob, withSeed(bobby, 2)),
    ]);
    for (const { consent, proof } of [...others, { consent: "", proof: "" }]) {
      if (consent !== entry.consent)
        expect(await codeOfAsync(chain.append(bob, { ...entry, consent }))).toBe("bad_signature");
      if (proof !== entry.proof)
        expect(await codeOfAsync(chain.append(bob, { ...entry, proof }))).toBe("bad_signature");
    }
    expect(await codeOfAsync(chain.append(carol, entry))).toBe("bad_signature");
    expect(await codeOfAsync(chain.append(bobby, entry))).toBe("unknown_device");
  });

  test("with another sealing key than the roots have signed, also by a device of the old one's", async () => {
    const { chain } = await team();
    const entry = await chain.draft.migrate(bob, bobby);
    const { publicKey } = await sealingKeys(carol, chain.workspace);
    const swapped = { ...entry, sealing: toBase64url(publicKey) };
    expect(await codeOfAsync(chain.append(bob, swapped))).toBe("bad_signature");
  });

  test("with a device of the old one's, another member's, an uncertified or a revoked one", async () => {
    const { chain, invite } = await team();
    const same = { ...bob.device, certificate: await certify(bobby, bob.device.key) };
    const carols = { ...carol.device, certificate: await certify(bobby, carol.device.key) };
    for (const device of [same, carols]) {
      const entry = await chain.draft.migrate(bob, bobby, device);
      expect(await codeOfAsync(chain.append(bob, entry))).toBe("chain_invalid");
    }
    const stolen = { ...bobby.device, certificate: await certify(bob, bobby.device.key) };
    const entry = await chain.draft.migrate(bob, bobby, stolen);
    expect(await codeOfAsync(chain.append(bob, entry))).toBe("bad_signature");
    const phone = await deviceOf(bobby, "phone");
    await chain.join(bobby, invite);
    await chain.revokeDevices(bobby, [phone.id]);
    const revoked = await chain.draft.migrate(bob, bobby, phone);
    expect(await codeOfAsync(chain.append(bob, revoked))).toBe("device_revoked");
  });

  test("into oneself", async () => {
    const { chain } = await team();
    expect(await codeOfAsync(chain.migrate(bob, bob))).toBe("chain_invalid");
  });
});
