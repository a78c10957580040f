// Devices that pair others, and devices that fall for good.
import { beforeAll, describe, expect, test } from "vitest";
import { toBase64url } from "#protocol/bytes.ts";
import { found } from "#test/chain-builder.ts";
import { codeOf, codeOfAsync } from "#test/code-of.ts";
import { deviceOf, type Person, pairedDevice, person, type TestDevice } from "#test/person.ts";
import { authorAt, isIn } from "./state.ts";

let alice: Person;
let bob: Person;
let phone: TestDevice;
let tablet: TestDevice;

beforeAll(async () => {
  [alice, bob] = await Promise.all([person("alice"), person("bob")]);
  phone = await pairedDevice(bob, bob.device, "phone");
  tablet = await pairedDevice(bob, phone, "tablet");
});

async function team() {
  const chain = await found(alice);
  await chain.epoch(alice);
  const invite = await chain.invite(alice, { uses: 5, role: "admin" });
  await chain.join(bob, invite);
  await chain.share(alice);
  return { chain, invite };
}

describe("a paired device", () => {
  test("comes in with the certificates up to the root, and speaks for its owner", async () => {
    const { chain } = await team();
    await chain.addDevice(bob, phone);
    const { sequence } = await chain.addDevice(bob, tablet);
    expect(authorAt(chain.state, bob.id, tablet.id, sequence).via).toEqual([phone.id, bob.device.id]);
    expect(chain.state.devices.get(bob.device.id)?.via).toEqual([]);
  });

  test("may be the one that joins, with none of those in the workspace that paired it", async () => {
    const chain = await found(alice);
    await chain.join(bob, await chain.invite(alice), tablet);
    expect([...chain.state.devices.keys()]).toEqual([alice.device.id, tablet.id]);
  });

  test("is refused as bad_signature where a link of its certificates is missing, foreign or swapped", async () => {
    const { chain } = await team();
    const [first, second] = tablet.via ?? [];
    if (!first || !second) throw new Error("the tablet has two above it");
    const foreign = await pairedDevice(bob, alice.device, "phone");
    const { via: _, ...unpaired } = tablet;
    const wrong = [
      { ...tablet, via: [first] },
      { ...tablet, via: [second] },
      { ...tablet, via: [second, first] },
      unpaired,
      { ...phone, certificate: bob.device.certificate },
      foreign,
    ];
    for (const device of wrong) expect(await codeOfAsync(chain.addDevice(bob, device))).toBe("bad_signature");
  });

  test("is refused beyond four pairings, and when it certifies itself", async () => {
    const { chain } = await team();
    const fourth = await pairedDevice(bob, tablet, "watch");
    const fifth = await pairedDevice(bob, fourth, "ring");
    await chain.addDevice(bob, fifth);
    const sixth = await pairedDevice(bob, fifth, "glasses");
    expect(await codeOfAsync(chain.addDevice(bob, sixth))).toBe("chain_invalid");
    const self = await pairedDevice(bob, phone, "phone");
    expect(await codeOfAsync(chain.addDevice(bob, self))).toBe("chain_invalid");
  });
});

describe("a revoked device", () => {
  test("falls with all that it had paired, at once; what they said before stays; the epoch is stale", async () => {
    const { chain } = await team();
    await chain.addDevice(bob, phone);
    await chain.addDevice(bob, tablet);
    const { sequence } = await chain.revokeDevices(bob, [phone.id]);
    const at = (device: TestDevice, when: number) =>
      codeOf(() => authorAt(chain.state, bob.id, device.id, when));
    expect([phone, tablet].map((one) => at(one, sequence))).toEqual(["unknown_device", "unknown_device"]);
    expect(at(tablet, sequence - 1)).toBe("accepted");
    expect(at(bob.device, sequence)).toBe("accepted");
    expect([phone, tablet].map(({ id }) => chain.state.devices.get(id)?.revoked)).toEqual([true, true]);
    expect(chain.state.stale).toBe(true);
  });

  test("never comes back, nor what it had paired: not by a device entry, not by a join", async () => {
    const { chain, invite } = await team();
    await chain.addDevice(bob, phone);
    await chain.addDevice(bob, tablet);
    await chain.revokeDevices(bob, [phone.id]);
    const again = await deviceOf(bob, "tablet");
    for (const device of [phone, tablet, again]) {
      expect(await codeOfAsync(chain.addDevice(bob, device))).toBe("device_revoked");
    }
    await chain.leave(bob);
    for (const device of [phone, tablet, await pairedDevice(bob, tablet, "watch")]) {
      expect(await codeOfAsync(chain.join(bob, invite, device))).toBe("device_revoked");
    }
    await chain.join(bob, invite);
    expect(await codeOfAsync(chain.addDevice(bob, phone))).toBe("device_revoked");
  });

  test("needn't be in the workspace: it may not come then, nor one that it paired", async () => {
    const { chain } = await team();
    await chain.revokeDevices(bob, [phone.id]);
    expect(await codeOfAsync(chain.addDevice(bob, phone))).toBe("device_revoked");
    expect(await codeOfAsync(chain.addDevice(bob, tablet))).toBe("device_revoked");
  });

  test("takes its open invites with it, and none of the others'", async () => {
    const { chain, invite } = await team();
    await chain.addDevice(bob, phone);
    const { entry } = await chain.draft.invite({ code: "ByPhone1" });
    await chain.append(bob, entry, { signer: phone });
    await chain.invite(bob, { code: "ByLaptop" });
    await chain.revokeDevices(bob, [phone.id]);
    const isVoid = (code: string) => chain.state.invites.get(code)?.void;
    expect(["ByPhone1", "ByLaptop", invite.code].map(isVoid)).toEqual([true, false, false]);
  });

  test("may be the one that says it, and the last", async () => {
    const { chain } = await team();
    await chain.revokeDevices(bob, [bob.device.id]);
    expect(isIn(chain.state.devices.get(bob.device.id))).toBe(false);
    expect(await codeOfAsync(chain.leave(bob))).toBe("unknown_device");
    await chain.addDevice(bob, await deviceOf(bob, "new laptop"));
  });

  test("of another member is untouched, whoever lists it", async () => {
    const { chain } = await team();
    await chain.revokeDevices(bob, [alice.device.id]);
    expect(isIn(chain.state.devices.get(alice.device.id))).toBe(true);
    await chain.addDevice(alice, await pairedDevice(alice, alice.device, "phone"));
  });
});

describe("a revocation is refused", () => {
  test("as bad_signature without the root's signature over exactly these devices", async () => {
    const { chain } = await team();
    const entry = await chain.draft.deviceRevoke(bob, [phone.id]);
    const byAlice = await chain.draft.deviceRevoke({ ...bob, rootSeed: alice.rootSeed }, [phone.id]);
    const forAlice = await chain.draft.deviceRevoke({ ...alice, rootSeed: bob.rootSeed }, [phone.id]);
    const byDevice = await chain.draft.deviceRevoke({ ...bob, rootSeed: bob.device.seed }, [phone.id]);
    for (const { proof } of [byAlice, forAlice, byDevice, { proof: "" }]) {
      expect(await codeOfAsync(chain.append(bob, { ...entry, proof }))).toBe("bad_signature");
    }
    for (const devices of [[bob.device.id], [phone.id, bob.device.id]]) {
      expect(await codeOfAsync(chain.append(bob, { ...entry, devices }))).toBe("bad_signature");
    }
    expect(await codeOfAsync(chain.append(alice, entry))).toBe("bad_signature");
  });

  test("as chain_conflict when it says nothing new, though its proof holds for ever", async () => {
    const { chain } = await team();
    await chain.addDevice(bob, phone);
    await chain.revokeDevices(bob, [phone.id]);
    expect(await codeOfAsync(chain.revokeDevices(bob, [phone.id]))).toBe("chain_conflict");
  });

  test("as unknown_device by who is revoked or out, and as chain_invalid when it lists none", async () => {
    const { chain } = await team();
    await chain.addDevice(bob, phone);
    const entry = await chain.draft.deviceRevoke(bob, [bob.device.id]);
    expect(await codeOfAsync(chain.append(bob, { ...entry, devices: [] }))).toBe("chain_invalid");
    await chain.revokeDevices(bob, [phone.id]);
    expect(await codeOfAsync(chain.append(bob, entry, { signer: phone }))).toBe("unknown_device");
    await chain.leave(bob);
    expect(await codeOfAsync(chain.append(bob, entry))).toBe("unknown_device");
  });
});

test("a certificate has its 32-byte keys", async () => {
  const { chain } = await team();
  const [first] = phone.via ?? [];
  if (!first) throw new Error("the phone was paired");
  const short = { ...phone, via: [{ ...first, key: toBase64url(new Uint8Array(31)) }] };
  expect(await codeOfAsync(chain.addDevice(bob, short))).toBe("chain_invalid");
});
