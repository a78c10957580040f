// A broker that rolls a value back, shows two of them, or says that it holds another one than it does.
import { expect, test } from "vitest";
import { decodeRecordFrame, encodeRecordFrame } from "#protocol/frames.ts";
import { EVERYONE } from "#protocol/ids.ts";
import { decodeRecord, encodeHeader, encodeRecord, type SealedRecord } from "#protocol/record.ts";
import {
  all,
  farPlace,
  findings,
  honest,
  isFrom,
  onFrame,
  passing,
  pushed,
  say,
  withheld,
} from "#test/lying-broker.ts";
import { createMesh, type Member, ORIGIN, refusedWith } from "#test/mesh.ts";
import { faceOf } from "#test/session-face.ts";
import type { PutOrder } from "../replica/replica.ts";

const LIMIT_MS = 10_000;
const SHORT_MS = 200;

const order = (changes: Partial<PutOrder> = {}): PutOrder => ({
  cell: { name: "counter" },
  own: false,
  ttlMs: null,
  tombstone: false,
  expect: "any",
  ...changes,
});

const put = (member: Member, changes: Partial<PutOrder> = {}, ms = LIMIT_MS) =>
  member.opened().workspace.putAndWait(EVERYONE, order(changes), { kind: "probe", at: 1 }, ms);

const keyOf = (member: Member, name = "counter") =>
  member.opened().workspace.keyring.cellKey(EVERYONE, name) ?? "";

function held(member: Member, name = "counter") {
  return member
    .opened()
    .workspace.replica.db.sql(
      "SELECT seq, sender, dev, version, hash FROM records WHERE label = ? AND key = ?",
    )
    .get(EVERYONE, keyOf(member, name));
}

const holds = (member: Member, version: number, name?: string) =>
  member.until(() => held(member, name)?.version === version, `version ${version} at ${member.name}`);

const cursorOf = (member: Member) => member.opened().workspace.replica.cursor();
/** The test's cell, of whoever. */
const inCell =
  (member: Member, name = "counter") =>
  (record: SealedRecord) =>
    record.header.put?.key === keyOf(member, name);

async function pair() {
  const mesh = await createMesh();
  const [alice, bob] = [await mesh.person("alice"), await mesh.person("bob")];
  await mesh.team(alice, bob);
  return { mesh, alice, bob };
}

async function copyOf(record: Promise<SealedRecord>): Promise<Uint8Array> {
  return Uint8Array.from((await record).bytes);
}

test("an older value at a newer place is refused as rolled_back, and the newer one stays", async () => {
  const { alice, bob } = await pair();
  const first = copyOf(passing(bob, inCell(bob)));
  await put(alice);
  await holds(bob, 1);
  await put(alice);
  await holds(bob, 2);
  say(bob, pushed(bob, await first));
  await bob.until(() => bob.refusals().length > 0, "the refusal");
  expect(bob.refusals()).toEqual(["rolled_back"]);
  expect(held(bob)).toMatchObject({ version: 2 });
});

/** A put of the member's in that cell is acknowledged and shown to its own device, and to nobody else. */
function granting(member: Member, name?: string): Promise<Uint8Array> {
  const sent = Promise.withResolvers<Uint8Array>();
  member.toBroker = (frame) => {
    if (typeof frame === "string") return [frame];
    const bytes = Uint8Array.from(decodeRecordFrame(frame).record);
    const record = decodeRecord(bytes);
    if (!inCell(member, name)(record)) return [frame];
    const ack = { type: "ack", id: record.header.id, seq: farPlace(member), at: 0 };
    say(member, JSON.stringify(ack), pushed(member, bytes));
    sent.resolve(bytes);
    return [];
  };
  return sent.promise;
}

/** Each has put version 2 onto the same version 1, and each was told that it holds the cell. */
async function twoValues() {
  const { mesh, alice, bob } = await pair();
  await put(alice);
  for (const member of [alice, bob]) await holds(member, 1);
  const seen = String(held(bob)?.hash);
  bob.toDevice = withheld((record) => inCell(bob)(record) && isFrom(alice)(record));
  const granted = granting(bob);
  await put(bob, { expect: { hash: seen } });
  await put(alice, { expect: { hash: seen } });
  expect([held(alice)?.version, held(bob)?.version]).toEqual([2, 2]);
  expect(held(alice)?.hash).not.toBe(held(bob)?.hash);
  bob.toDevice = honest;
  bob.toBroker = honest;
  bob.cut();
  return { mesh, alice, bob, bobs: await granted };
}

test.each([1, -1])(
  "two values of one version show when either is put on, %i place further",
  async (further) => {
    const { alice, bob } = await twoValues();
    bob.toDevice = withheld(inCell(bob));
    const next = copyOf(passing(alice, inCell(alice)));
    await put(alice);
    const place = Number(held(bob)?.seq) + further;
    say(bob, pushed(bob, await next, place));
    await bob.until(() => bob.refusals().length > 0, "the refusal");
    expect(bob.refusals()).toEqual(["value_forked"]);
    expect(await findings(bob)).toEqual([expect.stringMatching(/refused: record \d+: value_forked/)]);
  },
);

test("two values of one version show when the other's is shown, at whatever place", async () => {
  for (const show of [showLater, showAsHistory]) {
    const { alice, bobs } = await twoValues();
    await show(alice, bobs);
    await alice.until(() => alice.refusals().length > 0, "the refusal");
    expect(alice.refusals()).toEqual(["value_forked"]);
    expect(held(alice)).toMatchObject({ sender: alice.peer.account.user });
  }
});

async function showLater(member: Member, record: Uint8Array): Promise<void> {
  say(member, pushed(member, record));
}

/** The broker answers to a question for the label's history with this record alone. */
async function showAsHistory(member: Member, record: Uint8Array): Promise<void> {
  const before = member.toDevice;
  member.toDevice = all(
    (frame) =>
      typeof frame === "string" ? [frame] : decodeRecordFrame(frame).outer.type === "item" ? [] : [frame],
    onFrame("page", (page) => [
      encodeRecordFrame(
        { type: "item", request: page.request, seq: Number(held(member)?.seq) - 1, at: 0 },
        record,
      ),
      JSON.stringify({ ...page, more: false }),
    ]),
    before,
  );
  await member.opened().workspace.history.fill(EVERYONE, "*", 1000);
  member.toDevice = before;
}

test("one session's address granted to two devices shows to a colleague, and to the one when the other claims on", async () => {
  const { mesh, alice: laptop, bob } = await pair();
  const desk = await mesh.person("alice", "desk");
  await desk.peer.add(laptop.opened().workspace.id, ORIGIN, null);
  await desk.until(() => keyOf(desk) !== "", "the desk's key");
  const claim = "session:payments";
  const works = (member: Member, summary: string) => {
    member.peer.setSessions([faceOf("payments", { id: member.name, summary })]);
  };
  desk.toDevice = withheld(inCell(desk, claim));
  works(laptop, "at work");
  await holds(bob, 1, claim);
  const granted = granting(desk, claim);
  works(desk, "at work too");
  const desks = await granted;
  await holds(desk, 1, claim);
  for (const member of [laptop, desk]) expect(held(member, claim)?.dev).toBe(member.peer.account.device.id);

  say(bob, pushed(bob, desks));
  await bob.until(() => bob.refusals().length > 0, "the refusal");
  expect(bob.refusals()).toEqual(["value_forked"]);
  desk.toDevice = honest;
  desk.toBroker = honest;
  desk.cut();
  works(laptop, "further on");
  await desk.until(() => desk.refusals().includes("value_forked"), "the refusal");
});

test("a value that is acknowledged and not in the log isn't taken for placed", async () => {
  const { alice, bob } = await pair();
  alice.toBroker = (frame) => {
    if (typeof frame === "string") return [frame];
    const { header } = decodeRecord(decodeRecordFrame(frame).record);
    if (header.put?.key !== keyOf(alice)) return [frame];
    say(alice, JSON.stringify({ type: "ack", id: header.id, seq: cursorOf(alice) + 1, at: 0 }));
    return [];
  };
  expect(await refusedWith(put(alice, {}, SHORT_MS))).toBe("timeout");
  await bob.send("*", "the log goes on");
  await alice.until(() => alice.refusals().length > 0, "the finding");
  expect(alice.refusals()).toEqual(["not_stored"]);
  alice.toBroker = honest;
  alice.cut();
  await holds(bob, 1);
});

/** Alice's put is answered as outdone by that record. */
async function outdoneBy(make: (bobs: SealedRecord) => Uint8Array) {
  const { alice, bob } = await pair();
  const bobs = passing(bob, inCell(bob));
  await put(bob);
  await holds(alice, 1);
  const record = make(await bobs);
  let isLying = true;
  const sent: number[] = [];
  alice.toBroker = (frame) => {
    if (typeof frame === "string") return [frame];
    const { header } = decodeRecord(decodeRecordFrame(frame).record);
    if (header.put?.key !== keyOf(alice)) return [frame];
    sent.push(header.put.version);
    if (!isLying) return [frame];
    isLying = false;
    const current = {
      type: "current" as const,
      id: header.id,
      seq: Number(held(alice)?.seq),
      at: 0,
      live: true,
    };
    say(alice, encodeRecordFrame(current, record));
    return [];
  };
  await put(alice);
  await holds(bob, 2);
  expect(Math.max(...sent)).toBe(2);
  return alice.refusals();
}

test("a conflict with a value that nobody has put is no conflict: nothing is counted on from it", async () => {
  const lifted = ({ header, signature, body }: SealedRecord) =>
    encodeRecord(
      encodeHeader({ ...header, put: { ...(header.put ?? never()), version: 2 ** 50 } }),
      signature,
      body,
    );
  expect(await outdoneBy(lifted)).toEqual(["bad_signature"]);
});

test("a conflict with another cell's value is none either", async () => {
  const elsewhere = ({ header, signature, body }: SealedRecord) =>
    encodeRecord(
      encodeHeader({ ...header, put: { ...(header.put ?? never()), key: "A".repeat(22) } }),
      signature,
      body,
    );
  expect(await outdoneBy(elsewhere)).toEqual(["wrong_author"]);
});

function never(): never {
  throw new Error("it is a put");
}
