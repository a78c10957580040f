// The workspace changes hands: offered by one, taken by the other, void once either can't.
import { beforeAll, describe, expect, test } from "vitest";
import { found } from "#test/chain-builder.ts";
import { codeOfAsync } from "#test/code-of.ts";
import { type Person, pairedDevice, person } from "#test/person.ts";

let alice: Person;
let bob: Person;
let carol: Person;

beforeAll(async () => {
  [alice, bob, carol] = await Promise.all([person("alice"), person("bob"), person("carol")]);
});

async function team() {
  const chain = await found(alice);
  await chain.epoch(alice);
  const invite = await chain.invite(alice, { uses: 5 });
  await chain.join(bob, invite);
  await chain.join(carol, invite);
  await chain.share(alice);
  return { chain, invite };
}

test("who takes what was offered owns it; the former owner is an admin and may leave", async () => {
  const { chain } = await team();
  await chain.offerTo(alice, bob);
  expect([chain.state.owner, chain.state.offer?.member]).toEqual([alice.id, bob.id]);
  await chain.accept(bob);
  const roleOf = (who: Person) => chain.state.members.get(who.id)?.role;
  expect([chain.state.owner, chain.state.offer, roleOf(alice), roleOf(bob)]).toEqual([
    bob.id,
    null,
    "admin",
    "owner",
  ]);
  expect(await codeOfAsync(chain.append(alice, { type: "role", member: carol.id, role: "admin" }))).toBe(
    "not_allowed",
  );
  await chain.append(bob, { type: "role", member: carol.id, role: "admin" });
  expect(await codeOfAsync(chain.leave(bob))).toBe("not_allowed");
  await chain.leave(alice);
});

describe("an offer is void", () => {
  test("when it is taken back, or made to another", async () => {
    const { chain } = await team();
    await chain.offerTo(alice, bob);
    await chain.offerTo(alice, null);
    expect(await codeOfAsync(chain.accept(bob))).toBe("not_allowed");
    await chain.offerTo(alice, bob);
    await chain.offerTo(alice, carol);
    expect(await codeOfAsync(chain.accept(bob))).toBe("not_allowed");
    await chain.accept(carol);
  });

  test("when who it was made to leaves or is removed, also once they are back", async () => {
    const { chain, invite } = await team();
    await chain.offerTo(alice, bob);
    await chain.leave(bob);
    await chain.join(bob, invite);
    expect(await codeOfAsync(chain.accept(bob))).toBe("not_allowed");
    await chain.offerTo(alice, carol);
    await chain.append(alice, { type: "remove", member: carol.id });
    expect(chain.state.offer).toBeNull();
  });

  test("when the device that made it is revoked, not when another one is", async () => {
    const { chain } = await team();
    const phone = await pairedDevice(alice, alice.device, "phone");
    await chain.addDevice(alice, phone);
    const offer = { type: "offer", member: bob.id } as const;
    await chain.append(alice, offer, { signer: phone });
    await chain.revokeDevices(bob, [phone.id]);
    expect(chain.state.offer?.member).toBe(bob.id);
    await chain.revokeDevices(alice, [phone.id]);
    expect(await codeOfAsync(chain.accept(bob))).toBe("not_allowed");
  });

  test("once it was taken: a second time it isn't there", async () => {
    const { chain } = await team();
    await chain.offerTo(alice, bob);
    await chain.accept(bob);
    expect(await codeOfAsync(chain.accept(bob))).toBe("not_allowed");
    expect(await codeOfAsync(chain.accept(alice))).toBe("not_allowed");
  });
});

describe("is refused", () => {
  test("an offer by anybody but the owner, to oneself, to a stranger, to a guest", async () => {
    const { chain } = await team();
    expect(await codeOfAsync(chain.offerTo(bob, carol))).toBe("not_allowed");
    expect(await codeOfAsync(chain.offerTo(alice, alice))).toBe("not_allowed");
    expect(await codeOfAsync(chain.offerTo(alice, await person("mallory")))).toBe("not_found");
    await chain.append(alice, { type: "role", member: bob.id, role: "guest" });
    expect(await codeOfAsync(chain.offerTo(alice, bob))).toBe("not_allowed");
  });

  test("an acceptance by who was made a guest meanwhile, by another, by nobody's offer", async () => {
    const { chain } = await team();
    expect(await codeOfAsync(chain.accept(bob))).toBe("not_allowed");
    await chain.offerTo(alice, bob);
    expect(await codeOfAsync(chain.accept(carol))).toBe("not_allowed");
    expect(await codeOfAsync(chain.append(carol, { type: "accept" }, { from: bob.id }))).toBe("wrong_author");
    await chain.append(alice, { type: "role", member: bob.id, role: "guest" });
    expect(await codeOfAsync(chain.accept(bob))).toBe("not_allowed");
  });

  test("what changes nothing: the same offer again, none taken back", async () => {
    const { chain } = await team();
    expect(await codeOfAsync(chain.offerTo(alice, null))).toBe("chain_conflict");
    await chain.offerTo(alice, bob);
    expect(await codeOfAsync(chain.offerTo(alice, bob))).toBe("chain_conflict");
  });
});
