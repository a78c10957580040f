// A chain's growth, and every entry that is not exactly the next one.
import { beforeAll, describe, expect, test } from "vitest";
import { nodeCurves } from "#adapters/curves.ts";
import { decodeRecord } from "#protocol/record.ts";
import { found, signEntry } from "#test/chain-builder.ts";
import { codeOfAsync } from "#test/code-of.ts";
import { fixedBytes, type Person, person } from "#test/person.ts";
import { recordHash } from "../record.ts";
import { admit } from "./admit.ts";
import { decodeEntry } from "./entries.ts";
import { activeMember, awaitingKey, currentEpoch } from "./state.ts";

let alice: Person;
let bob: Person;

beforeAll(async () => {
  [alice, bob] = await Promise.all([person("alice"), person("bob")]);
});

async function team() {
  const chain = await found(alice);
  await chain.epoch(alice);
  const invite = await chain.invite(alice, { uses: 2 });
  await chain.join(bob, invite);
  await chain.share(alice);
  return chain;
}

describe("a chain grows", () => {
  test("from its genesis: the owner, one device, no key yet", async () => {
    const { state } = await found(alice);
    expect(state.owner).toBe(alice.id);
    expect(state.head.height).toBe(0);
    expect([...state.members.keys()]).toEqual([alice.id]);
    expect([...state.devices.keys()]).toEqual([alice.device.id]);
    expect(awaitingKey(state).map((member) => member.id)).toEqual([alice.id]);
  });

  test("by one height an entry, its head the hash of the entry's bytes", async () => {
    const chain = await team();
    expect(chain.steps.map((step) => step.state.head)).toEqual(
      chain.steps.map((step, height) => ({ height, hash: recordHash(step.bytes) })),
    );
  });

  test("to the same state on every replica that reads its records", async () => {
    const chain = await team();
    let state = null;
    for (const { bytes, sequence } of chain.steps) {
      state = await admit(nodeCurves, chain.workspace, state, decodeRecord(bytes), sequence);
    }
    expect(state).toEqual(chain.state);
  });

  test("without touching the state before", async () => {
    const chain = await found(alice);
    const before = structuredClone(chain.state);
    const kept = chain.state;
    await chain.epoch(alice);
    await chain.invite(alice);
    expect(kept).toEqual(before);
  });

  test("until a joiner is a member with the key", async () => {
    const { state } = await team();
    expect(activeMember(state, bob.id)).toMatchObject({ role: "member", invitedBy: alice.id, joined: 4 });
    expect(awaitingKey(state)).toEqual([]);
    expect(currentEpoch(state)?.sealed.get(bob.id)?.by).toBe(alice.id);
  });
});

describe("an entry is refused", () => {
  test("as chain_conflict when it is played again", async () => {
    const chain = await team();
    for (const { bytes } of chain.steps.slice(1)) {
      expect(await codeOfAsync(chain.offer(bytes))).toBe("chain_conflict");
    }
  });

  test("as chain_conflict when it continues another branch", async () => {
    const chain = await team();
    const other = chain.branch();
    await chain.invite(alice, { code: "OneWayAA" });
    await other.invite(alice, { code: "OtherWay" });
    const next = await other.sign(alice, other.draft.device(alice.device));
    expect(await codeOfAsync(chain.offer(next))).toBe("chain_conflict");
  });

  test("as chain_conflict when it names the right hash at another height, or nothing before it", async () => {
    const chain = await team();
    const { hash, height } = chain.state.head;
    for (const head of [{ hash, height: height + 1 }, { hash, height: height - 1 }, null]) {
      const bytes = await chain.sign(bob, chain.draft.leave(), { head });
      expect(await codeOfAsync(chain.offer(bytes))).toBe("chain_conflict");
    }
  });

  test("as chain_invalid when it is a second genesis", async () => {
    const chain = await team();
    const genesis = decodeEntry(chain.steps[0]?.record.body ?? new Uint8Array(0));
    expect(await codeOfAsync(chain.append(alice, genesis))).toBe("chain_invalid");
  });

  test("as chain_invalid when it names another epoch than the one in force", async () => {
    const chain = await team();
    expect(await codeOfAsync(chain.append(bob, chain.draft.leave(), { epoch: 1 }))).toBe("chain_invalid");
  });

  test("as chain_invalid when it is on another label, or claims to be sealed", async () => {
    const chain = await team();
    for (const forgery of [{ to: "*" }, { to: bob.id }, { alg: "label" }, { alg: "pair" }] as const) {
      expect(await codeOfAsync(chain.append(bob, chain.draft.leave(), forgery))).toBe("chain_invalid");
    }
  });
});

describe("a first entry is refused", () => {
  const first = async (bytes: Uint8Array, workspace: string) =>
    codeOfAsync(admit(nodeCurves, workspace, null, decodeRecord(bytes), 1));

  test("when it is another workspace's genesis", async () => {
    const mine = await found(alice);
    const rewritten = await found(alice, "another nonce");
    expect(await first(rewritten.steps[0]?.bytes ?? fixedBytes("none"), mine.workspace)).toBe(
      "chain_invalid",
    );
  });

  test("when it is no genesis", async () => {
    const chain = await team();
    for (const { bytes } of chain.steps.slice(1))
      expect(await first(bytes, chain.workspace)).toBe("chain_invalid");
  });

  test("when it claims something before it", async () => {
    const chain = await found(alice);
    const entry = decodeEntry(chain.steps[0]?.record.body ?? fixedBytes("none"));
    const place = { head: chain.state.head, epoch: 0, n: 1 };
    expect(await first(await signEntry(chain.workspace, place, alice, entry), chain.workspace)).toBe(
      "chain_invalid",
    );
    const late = { head: null, epoch: 1, n: 1 };
    expect(await first(await signEntry(chain.workspace, late, alice, entry), chain.workspace)).toBe(
      "chain_invalid",
    );
  });

  test("when somebody else than its owner speaks it", async () => {
    const chain = await found(alice);
    const entry = decodeEntry(chain.steps[0]?.record.body ?? fixedBytes("none"));
    const place = { head: null, epoch: 0, n: 1 };
    const stolen = await signEntry(chain.workspace, place, bob, entry);
    expect(await first(stolen, chain.workspace)).toBe("wrong_author");
  });
});
