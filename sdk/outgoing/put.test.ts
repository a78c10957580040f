// Values in cells: every put is a compare-and-set, judged by the broker, which doesn't know what it decides.
import { expect, test } from "vitest";
import type { ErrorCode } from "#protocol/errors.ts";
import { EVERYONE } from "#protocol/ids.ts";
import { createMesh, type Member, refusedWith } from "#test/mesh.ts";
import { findingsOf } from "../replica/audit.ts";
import type { PutOrder } from "../replica/replica.ts";

const LIMIT_MS = 10_000;
const order = (changes: Partial<PutOrder> = {}): PutOrder => ({
  cell: { name: "counter" },
  own: false,
  ttlMs: null,
  tombstone: false,
  expect: "any",
  ...changes,
});

const put = (member: Member, changes: Partial<PutOrder> = {}, label: string = EVERYONE) =>
  member.opened().workspace.putAndWait(label, order(changes), { kind: "probe", at: 1 }, LIMIT_MS);

/** What a replica holds in the cell: who put it, its version and hash. */
function held(member: Member, owner = "") {
  const { replica, keyring } = member.opened().workspace;
  const key = keyring.cellKey(EVERYONE, "counter") ?? "";
  const row = replica.db
    .sql("SELECT sender, version, hash, tombstone FROM records WHERE label = ? AND key = ? AND owner = ?")
    .get(EVERYONE, key, owner);
  return row ?? null;
}

async function pair() {
  const mesh = await createMesh();
  const alice = await mesh.person("alice");
  const bob = await mesh.person("bob");
  await mesh.team(alice, bob);
  return { mesh, alice, bob };
}

async function settle(members: readonly Member[]): Promise<void> {
  const agree = () => new Set(members.map((member) => JSON.stringify(held(member)))).size === 1;
  for (const member of members) await member.until(agree, "the replicas to agree");
}

test("of two who want what is free, one wins, and both see who", async () => {
  const { alice, bob } = await pair();
  const codes = await Promise.all([
    refusedWith(put(alice, { expect: "free" })),
    refusedWith(put(bob, { expect: "free" })),
  ]);
  expect(codes.toSorted()).toEqual(["conflict" satisfies ErrorCode, "nothing"]);
  await settle([alice, bob]);
  const winner = codes[0] === "nothing" ? alice : bob;
  expect(held(alice)).toMatchObject({ sender: winner.peer.account.user, version: 1 });
});

test("unconditional puts of many at once all come through, one version each", async () => {
  const { alice, bob } = await pair();
  const many = Array.from({ length: 20 }, () => [put(alice), put(bob)]).flat();
  await Promise.all(many);
  await settle([alice, bob]);
  expect(held(alice)).toMatchObject({ version: 40 });
});

test("a put that expects what is no longer there is refused, and the newer value stays", async () => {
  const { alice, bob } = await pair();
  await put(alice);
  await settle([alice, bob]);
  const seen = String(held(bob)?.hash);
  await put(alice);
  expect(await refusedWith(put(bob, { expect: { hash: seen } }))).toBe("conflict");
  await settle([alice, bob]);
  await put(bob, { expect: { hash: String(held(bob)?.hash) } });
  await settle([alice, bob]);
  expect(held(alice)).toMatchObject({ sender: bob.peer.account.user, version: 3 });
});

test("own cells of the same name are each their owner's", async () => {
  const { alice, bob } = await pair();
  await Promise.all([put(alice, { own: true, expect: "free" }), put(bob, { own: true, expect: "free" })]);
  const [a, b] = [alice.peer.account.user, bob.peer.account.user];
  const isWhole = () => held(bob, a)?.version === 1 && held(alice, b)?.version === 1;
  await bob.until(isWhole, "both values at both");
  expect(held(bob, a)).toMatchObject({ sender: a });
});

test("what has a time to live is free again when that is over, on the broker's clock", async () => {
  const { mesh, alice, bob } = await pair();
  await put(alice, { ttlMs: 60_000, expect: "free" });
  expect(await refusedWith(put(bob, { ttlMs: 60_000, expect: "free" }))).toBe("conflict");
  mesh.advance(60_001);
  await put(bob, { ttlMs: 60_000, expect: "free" });
  await settle([alice, bob]);
  expect(held(alice)).toMatchObject({ sender: bob.peer.account.user, version: 2 });
});

test("a value that was deleted is free, and comes back with a higher version", async () => {
  const { alice, bob } = await pair();
  await put(alice);
  await put(alice, { tombstone: true });
  await settle([alice, bob]);
  expect(held(bob)).toMatchObject({ tombstone: 1, version: 2 });
  await put(bob, { expect: "free" });
  await settle([alice, bob]);
  expect(held(alice)).toMatchObject({ tombstone: 0, version: 3 });
});

test("a put whose answer was lost is the same put when it is sent again, though another has replaced it", async () => {
  const { alice, bob } = await pair();
  let isDeaf = true;
  alice.toDevice = (frame) => (isDeaf && typeof frame !== "string" ? [] : [frame]);
  const first = put(alice);
  await bob.until(() => held(bob)?.version === 1, "alice's value at bob");
  await put(bob);
  isDeaf = false;
  alice.cut();
  await first;
  await settle([alice, bob]);
  expect(held(alice)).toMatchObject({ sender: bob.peer.account.user, version: 2 });
});

test("puts take no number: nothing looks withheld for them", async () => {
  const { alice, bob } = await pair();
  await alice.send("*", "one");
  await put(alice);
  await put(alice);
  await alice.send("*", "two");
  await bob.until(async () => (await bob.inbox()).length === 2, "both messages");
  const { replica, me } = bob.opened().workspace;
  expect(findingsOf(replica, me, [])).toEqual([]);
});

test("a shared value under another member's label is refused", async () => {
  const { alice, bob } = await pair();
  expect(await refusedWith(put(alice, {}, bob.peer.account.user))).toBe("conflict");
  expect(alice.opened().workspace.replica.outboxSize()).toBe(0);
});
