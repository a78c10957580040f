// Devices and departures: who may sign what, at which sequence.
import { beforeAll, describe, expect, test } from "vitest";
import { found } from "#test/chain-builder.ts";
import { codeOf, codeOfAsync } from "#test/code-of.ts";
import { certify, deviceOf, type Person, person, type TestDevice } from "#test/person.ts";
import { activeMember, authorAt } from "./state.ts";

let alice: Person;
let bob: Person;
let bobsPhone: TestDevice;

beforeAll(async () => {
  [alice, bob] = await Promise.all([person("alice"), person("bob")]);
  bobsPhone = await deviceOf(bob, "phone");
});

async function team() {
  const chain = await found(alice);
  await chain.epoch(alice);
  const invite = await chain.invite(alice, { uses: 5 });
  await chain.join(bob, invite);
  await chain.share(alice);
  return { chain, invite };
}

describe("a further device", () => {
  test("speaks for its owner from its entry on", async () => {
    const { chain } = await team();
    const { sequence } = await chain.addDevice(bob, bobsPhone);
    expect(codeOf(() => authorAt(chain.state, bob.id, bobsPhone.id, sequence - 1))).toBe("unknown_device");
    expect(authorAt(chain.state, bob.id, bobsPhone.id, sequence).member).toBe(bob.id);
    await chain.append(bob, chain.draft.leave(), { signer: bobsPhone });
  });

  test("never speaks for somebody else", async () => {
    const { chain } = await team();
    expect(codeOf(() => authorAt(chain.state, alice.id, bob.device.id, 100))).toBe("wrong_author");
    expect(await codeOfAsync(chain.append(bob, chain.draft.leave(), { from: alice.id }))).toBe(
      "wrong_author",
    );
  });

  test("is refused as bad_signature without its root's certificate", async () => {
    const { chain } = await team();
    const byAlice = await certify({ id: bob.id, rootSeed: alice.rootSeed }, bobsPhone.key);
    const forAlice = await certify({ id: alice.id, rootSeed: bob.rootSeed }, bobsPhone.key);
    for (const certificate of [new Uint8Array(0), byAlice, forAlice, bob.device.certificate]) {
      expect(await codeOfAsync(chain.addDevice(bob, { ...bobsPhone, certificate }))).toBe("bad_signature");
    }
  });

  test("is refused as bad_signature when it doesn't sign its entry itself", async () => {
    const { chain } = await team();
    const entry = chain.draft.device(bobsPhone);
    const stolen = { ...bobsPhone, seed: alice.device.seed };
    expect(await codeOfAsync(chain.append(bob, entry, { signer: stolen }))).toBe("bad_signature");
  });

  test("is refused as wrong_author under another device's id", async () => {
    const { chain } = await team();
    const entry = chain.draft.device(bobsPhone);
    expect(await codeOfAsync(chain.append(bob, entry, { signer: bob.device }))).toBe("wrong_author");
  });

  test("is refused as chain_invalid when it is in already, with whomever", async () => {
    const { chain } = await team();
    await chain.addDevice(bob, bobsPhone);
    expect(await codeOfAsync(chain.addDevice(bob, bobsPhone))).toBe("chain_invalid");
    const alices = { ...bobsPhone, certificate: await certify(alice, bobsPhone.key) };
    expect(await codeOfAsync(chain.addDevice(alice, alices))).toBe("chain_invalid");
  });

  test("is refused as not_allowed from somebody who isn't a member", async () => {
    const { chain } = await team();
    const carol = await person("carol");
    expect(await codeOfAsync(chain.addDevice(carol, carol.device))).toBe("not_allowed");
    await chain.leave(bob);
    expect(await codeOfAsync(chain.addDevice(bob, bobsPhone))).toBe("not_allowed");
  });
});

describe("leaving", () => {
  test("silences all of the member's devices, and keeps what they said before", async () => {
    const { chain } = await team();
    await chain.addDevice(bob, bobsPhone);
    const { sequence } = await chain.leave(bob);
    for (const { id } of [bob.device, bobsPhone]) {
      expect(authorAt(chain.state, bob.id, id, sequence - 1).member).toBe(bob.id);
      expect(codeOf(() => authorAt(chain.state, bob.id, id, sequence))).toBe("unknown_device");
    }
    expect(activeMember(chain.state, bob.id)).toBeUndefined();
    expect(authorAt(chain.state, alice.id, alice.device.id, sequence).member).toBe(alice.id);
  });

  test("is refused to the owner as not_allowed", async () => {
    const { chain } = await team();
    expect(await codeOfAsync(chain.leave(alice))).toBe("not_allowed");
  });

  test("is refused a second time as unknown_device", async () => {
    const { chain } = await team();
    await chain.leave(bob);
    expect(await codeOfAsync(chain.leave(bob))).toBe("unknown_device");
  });
});

describe("coming back", () => {
  test("gives the device a second span: what it signed in between stays refused", async () => {
    const { chain, invite } = await team();
    chain.skip(10);
    const left = await chain.leave(bob);
    chain.skip(10);
    const back = await chain.join(bob, invite);
    const at = (sequence: number) => codeOf(() => authorAt(chain.state, bob.id, bob.device.id, sequence));
    expect(at(left.sequence - 1)).toBe("accepted");
    for (let between = left.sequence; between < back.sequence; between++)
      expect(at(between)).toBe("unknown_device");
    expect(at(back.sequence)).toBe("accepted");
    expect(at(3)).toBe("unknown_device");
  });

  test("needs a new epoch before anything is sealed, as the old one is stale", async () => {
    const { chain, invite } = await team();
    await chain.leave(bob);
    await chain.join(bob, invite);
    expect(chain.state.stale).toBe(true);
    await chain.epoch(bob);
    expect(chain.state.stale).toBe(false);
  });

  test("lets the member's other devices back in, each by its own entry", async () => {
    const { chain, invite } = await team();
    await chain.addDevice(bob, bobsPhone);
    const left = await chain.leave(bob);
    const back = await chain.join(bob, invite);
    const at = (sequence: number) => codeOf(() => authorAt(chain.state, bob.id, bobsPhone.id, sequence));
    expect(at(back.sequence)).toBe("unknown_device");
    const again = await chain.addDevice(bob, bobsPhone);
    expect([left.sequence - 1, left.sequence, again.sequence].map(at)).toEqual([
      "accepted",
      "unknown_device",
      "accepted",
    ]);
  });
});
