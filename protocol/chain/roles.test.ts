// Who may shut out whom, who makes whom what, and what falls with it.
import { beforeAll, describe, expect, test } from "vitest";
import { found } from "#test/chain-builder.ts";
import { codeOfAsync } from "#test/code-of.ts";
import { type Person, person } from "#test/person.ts";
import type { Role } from "../schema.ts";
import { activeMember, authorAt, awaitingKey } from "./state.ts";

let alice: Person;
let bob: Person;
let carol: Person;
let dave: Person;

beforeAll(async () => {
  [alice, bob, carol, dave] = await Promise.all([
    person("alice"),
    person("bob"),
    person("carol"),
    person("dave"),
  ]);
});

/** alice owns it; the others are what is said. */
async function team(roles: { bob?: Exclude<Role, "owner">; carol?: Exclude<Role, "owner"> } = {}) {
  const chain = await found(alice);
  await chain.epoch(alice);
  await chain.join(bob, await chain.invite(alice, { role: roles.bob ?? "member" }));
  await chain.join(carol, await chain.invite(alice, { role: roles.carol ?? "member" }));
  if (awaitingKey(chain.state).length > 0) await chain.share(alice);
  return chain;
}

const remove = (who: Person) => ({ type: "remove", member: who.id }) as const;
const make = (who: Person, role: Exclude<Role, "owner">) => ({ type: "role", member: who.id, role }) as const;

describe("who is removed", () => {
  test("is no member, its devices speak no more, the epoch is stale, and all open links are void", async () => {
    const chain = await team();
    const open = await chain.invite(alice, { uses: 5 });
    const { sequence } = await chain.append(alice, remove(bob));
    const { state } = chain;
    expect(activeMember(state, bob.id)).toBeUndefined();
    expect(state.stale).toBe(true);
    expect(() => authorAt(state, bob.id, bob.device.id, sequence)).toThrow();
    expect(authorAt(state, bob.id, bob.device.id, sequence - 1).id).toBe(bob.device.id);
    expect(state.invites.get(open.code)?.void).toBe(true);
    expect(await codeOfAsync(chain.join(dave, open))).toBe("invite_revoked");
  });

  test("comes back by a new invite, and what it said in between stays nobody's", async () => {
    const chain = await team();
    const { sequence } = await chain.append(alice, remove(bob));
    await chain.epoch(alice);
    const back = await chain.join(bob, await chain.invite(alice));
    expect(activeMember(chain.state, bob.id)).toBeDefined();
    expect(() => authorAt(chain.state, bob.id, bob.device.id, sequence)).toThrow();
    expect(authorAt(chain.state, bob.id, bob.device.id, back.sequence).id).toBe(bob.device.id);
  });

  test.each([
    ["a member", { bob: "member", carol: "member" }],
    ["a guest", { bob: "guest", carol: "member" }],
    ["an admin another admin", { bob: "admin", carol: "admin" }],
  ] as const)("isn't removed by %s", async (_, roles) => {
    const chain = await team(roles);
    expect(await codeOfAsync(chain.append(bob, remove(carol)))).toBe("not_allowed");
  });

  test("is never the owner, nor oneself, nor somebody who isn't there", async () => {
    const chain = await team({ bob: "admin" });
    expect(await codeOfAsync(chain.append(bob, remove(alice)))).toBe("not_allowed");
    expect(await codeOfAsync(chain.append(bob, remove(bob)))).toBe("not_allowed");
    expect(await codeOfAsync(chain.append(alice, remove(dave)))).toBe("not_found");
  });

  test("may be a member or guest for an admin, anybody else for the owner", async () => {
    const chain = await team({ bob: "admin", carol: "guest" });
    await chain.append(bob, remove(carol));
    await chain.epoch(alice);
    await chain.append(alice, remove(bob));
    expect(chain.state.members.get(bob.id)?.active).toBe(false);
  });
});

describe("a role", () => {
  test("of admin is the owner's to give and to take; its holder's links go with it", async () => {
    const chain = await team();
    expect(await codeOfAsync(chain.append(bob, make(carol, "admin")))).toBe("not_allowed");
    await chain.append(alice, make(bob, "admin"));
    const theirs = await chain.invite(bob);
    const other = await chain.invite(alice);
    expect(await codeOfAsync(chain.append(bob, make(carol, "admin")))).toBe("not_allowed");
    await chain.append(alice, make(bob, "member"));
    expect([theirs, other].map(({ code }) => chain.state.invites.get(code)?.void)).toEqual([true, false]);
    expect(chain.state.stale).toBe(false);
  });

  test("of guest takes the workspace's key away: the epoch is stale; of member gives it", async () => {
    const chain = await team({ bob: "admin" });
    await chain.append(bob, make(carol, "guest"));
    expect(chain.state.stale).toBe(true);
    await chain.epoch(alice);
    await chain.append(bob, make(carol, "member"));
    expect(awaitingKey(chain.state).map(({ id }) => id)).toEqual([carol.id]);
  });

  test("that one has already is a conflict; the owner's is nobody's to give or take", async () => {
    const chain = await team({ bob: "admin" });
    expect(await codeOfAsync(chain.append(alice, make(bob, "admin")))).toBe("chain_conflict");
    expect(await codeOfAsync(chain.append(bob, make(alice, "member")))).toBe("not_allowed");
    expect(await codeOfAsync(chain.append(alice, make(alice, "guest")))).toBe("not_allowed");
  });
});

describe("a revoked invite", () => {
  test("lets nobody in, and can't be revoked again", async () => {
    const chain = await team({ bob: "admin" });
    const invite = await chain.invite(alice, { uses: 3 });
    await chain.append(bob, { type: "revoke", code: invite.code });
    expect(await codeOfAsync(chain.join(dave, invite))).toBe("invite_revoked");
    expect(await codeOfAsync(chain.append(alice, { type: "revoke", code: invite.code }))).toBe(
      "chain_conflict",
    );
  });

  test("isn't revoked by a member, and has to be there", async () => {
    const chain = await team();
    const invite = await chain.invite(alice);
    expect(await codeOfAsync(chain.append(bob, { type: "revoke", code: invite.code }))).toBe("not_allowed");
    expect(await codeOfAsync(chain.append(alice, { type: "revoke", code: "Nowhere1" }))).toBe(
      "invite_not_found",
    );
  });
});
