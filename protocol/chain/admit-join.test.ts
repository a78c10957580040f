// The door: who may invite, and which joins an invite lets in.
import { beforeAll, describe, expect, test } from "vitest";
import { toBase64url } from "#protocol/bytes.ts";
import { found, type InviteOptions } from "#test/chain-builder.ts";
import { codeOfAsync } from "#test/code-of.ts";
import {
  certify,
  deviceFields,
  deviceOf,
  fixedBytes,
  type Person,
  person,
  sealingKeys,
} from "#test/person.ts";
import { activeMember, awaitingKey } from "./state.ts";

let alice: Person;
let bob: Person;
let carol: Person;
let mallory: Person;

beforeAll(async () => {
  [alice, bob, carol, mallory] = await Promise.all([
    person("alice"),
    person("bob"),
    person("carol"),
    person("mallory"),
  ]);
});

/** Alice's workspace with bob in it, in the role given. */
async function withBob(role: NonNullable<InviteOptions["role"]>) {
  const chain = await found(alice);
  await chain.epoch(alice);
  await chain.join(bob, await chain.invite(alice, { role }));
  return chain;
}

describe("an invite is refused", () => {
  test.each(["member", "guest"] as const)("by a %s", async (role) => {
    const chain = await withBob(role);
    expect(await codeOfAsync(chain.invite(bob))).toBe("not_allowed");
  });

  test("to be an admin, by an admin", async () => {
    const chain = await withBob("admin");
    expect(await codeOfAsync(chain.invite(bob, { role: "admin" }))).toBe("not_allowed");
    await chain.invite(bob, { role: "member" });
    await chain.invite(alice, { role: "admin" });
  });

  test("by somebody who was never a member", async () => {
    const chain = await withBob("member");
    expect(await codeOfAsync(chain.invite(mallory))).toBe("unknown_device");
  });

  test("under a code that is taken", async () => {
    const chain = await found(alice);
    await chain.invite(alice, { code: "Taken001" });
    expect(await codeOfAsync(chain.invite(alice, { code: "Taken001" }))).toBe("conflict");
  });

  test("with a key that is none", async () => {
    const chain = await found(alice);
    const { entry } = await chain.draft.invite();
    const short = { ...entry, key: toBase64url(fixedBytes("short", 31)) };
    expect(await codeOfAsync(chain.append(alice, short))).toBe("chain_invalid");
  });

  test.each([{ uses: 0 }, { uses: 10_001 }, { uses: 1.5 }, { expiresAt: -1 }])(
    "that can't be written: %j",
    async (options) => {
      const chain = await found(alice);
      expect(await codeOfAsync(chain.invite(alice, options))).toBe("chain_invalid");
    },
  );
});

describe("an invite that carries the key", () => {
  const wrapped = toBase64url(fixedBytes("wrapped", 72));

  test("keeps it with the epoch that it is of; who joins by it is known by its code", async () => {
    const chain = await withBob("member");
    await chain.share(alice);
    const invite = await chain.invite(alice, { wrapped });
    expect(chain.state.invites.get(invite.code)?.wrapped?.epoch).toBe(0);
    await chain.join(carol, invite);
    expect(activeMember(chain.state, carol.id)?.invite).toBe(invite.code);
    expect(activeMember(chain.state, alice.id)?.invite).toBe(null);
  });

  test.each([{ uses: 2 }, { role: "guest" }, { mail: true }] as const)(
    "is refused where it isn't for one full member: %j",
    async (options) => {
      const chain = await withBob("member");
      expect(await codeOfAsync(chain.invite(alice, { wrapped, ...options }))).toBe("chain_invalid");
    },
  );

  test("is refused before the first epoch, and under a stale one", async () => {
    const young = await found(alice);
    expect(await codeOfAsync(young.invite(alice, { wrapped }))).toBe("chain_invalid");
    const chain = await withBob("member");
    await chain.append(bob, { type: "leave" });
    expect(await codeOfAsync(chain.invite(alice, { wrapped }))).toBe("chain_invalid");
  });
});

test("an invite by e-mail is for one use", async () => {
  const chain = await withBob("member");
  expect(await codeOfAsync(chain.invite(alice, { mail: true, uses: 2 }))).toBe("chain_invalid");
  const { code } = await chain.invite(alice, { mail: true });
  expect(chain.state.invites.get(code)?.mail).toBe(true);
});

describe("a join", () => {
  test("takes the invite's role; a guest waits for no key", async () => {
    const chain = await withBob("guest");
    expect(activeMember(chain.state, bob.id)?.role).toBe("guest");
    expect(awaitingKey(chain.state)).toEqual([]);
  });

  test("is refused as invite_not_found without an invite", async () => {
    const chain = await found(alice);
    const { invite } = await chain.draft.invite();
    expect(await codeOfAsync(chain.join(bob, invite))).toBe("invite_not_found");
  });

  test("is refused as invite_exhausted past the invite's uses, as the chain counts them", async () => {
    const chain = await found(alice);
    const invite = await chain.invite(alice, { uses: 2 });
    await chain.join(bob, invite);
    await chain.join(carol, invite);
    expect(chain.state.invites.get(invite.code)?.used).toBe(2);
    expect(await codeOfAsync(chain.join(mallory, invite))).toBe("invite_exhausted");
  });

  test("is refused as invite_bad_signature with a guessed secret", async () => {
    const chain = await found(alice);
    const { code } = await chain.invite(alice);
    const guess = { code, secret: fixedBytes("guess", 16) };
    expect(await codeOfAsync(chain.join(mallory, guess))).toBe("invite_bad_signature");
  });

  test("is refused as invite_bad_signature when its sealing key was swapped", async () => {
    const chain = await found(alice);
    const entry = await chain.draft.join(bob, await chain.invite(alice));
    const { publicKey } = await sealingKeys(mallory, chain.workspace);
    const swapped = { ...entry, sealing: toBase64url(publicKey) };
    expect(await codeOfAsync(chain.append(bob, swapped))).toBe("invite_bad_signature");
  });

  test("is refused as invite_bad_signature with a proof made for another person, invite or workspace", async () => {
    const chain = await found(alice);
    const invite = await chain.invite(alice, { uses: 2 });
    const second = await chain.invite(alice);
    const elsewhere = await found(alice, "another workspace");
    const entry = await chain.draft.join(mallory, invite);
    const others = await Promise.all([
      chain.draft.join(bob, invite),
      chain.draft.join(mallory, second),
      elsewhere.draft.join(mallory, invite),
    ]);
    for (const { proof } of [...others, { proof: "" }]) {
      expect(await codeOfAsync(chain.append(mallory, { ...entry, proof }))).toBe("invite_bad_signature");
    }
  });

  test("is refused as conflict from somebody who is in, and as chain_conflict when sent twice", async () => {
    const chain = await found(alice);
    const invite = await chain.invite(alice, { uses: 3 });
    const { bytes } = await chain.join(bob, invite);
    expect(await codeOfAsync(chain.join(bob, invite))).toBe("conflict");
    expect(await codeOfAsync(chain.offer(bytes))).toBe("chain_conflict");
    expect(await codeOfAsync(chain.join(alice, invite))).toBe("conflict");
  });

  test("is refused as wrong_author under somebody else's user id, root or device id", async () => {
    const chain = await found(alice);
    const invite = await chain.invite(alice);
    const entry = await chain.draft.join(mallory, invite);
    const otherRoot = { ...entry, root: toBase64url(bob.root) };
    expect(await codeOfAsync(chain.append(mallory, entry, { from: bob.id }))).toBe("wrong_author");
    expect(await codeOfAsync(chain.append(mallory, otherRoot))).toBe("wrong_author");
    expect(await codeOfAsync(chain.append(mallory, entry, { dev: bob.device.id }))).toBe("wrong_author");
  });

  test("is refused as bad_signature when its device is not certified by its own root", async () => {
    const chain = await found(alice);
    const entry = await chain.draft.join(bob, await chain.invite(alice));
    const certificates = [bob.device.certificate.subarray(1), mallory.device.certificate, new Uint8Array(0)];
    for (const certificate of certificates) {
      const device = deviceFields({ ...bob.device, certificate });
      expect(await codeOfAsync(chain.append(bob, { ...entry, device }))).toBe("bad_signature");
    }
  });

  test("is refused with the device of another member, even when it holds that device's key", async () => {
    const chain = await withBob("member");
    const invite = await chain.invite(alice);
    const certificate = await certify(mallory, bob.device.key);
    const bobs = { ...bob.device, certificate };
    expect(await codeOfAsync(chain.join(mallory, invite, bobs))).toBe("chain_invalid");
    await chain.join(mallory, invite, await deviceOf(mallory, "own machine"));
  });
});
