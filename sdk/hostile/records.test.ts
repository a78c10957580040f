// A broker that changes, re-wraps, repeats, reorders or drops what people say: nothing of it is taken for theirs.
import { expect, test } from "vitest";
import { systemRandom } from "#adapters/clock.ts";
import { utf8 } from "#protocol/bytes.ts";
import { recordKey } from "#protocol/derive.ts";
import { decodeRecordFrame } from "#protocol/frames.ts";
import { EVERYONE } from "#protocol/ids.ts";
import { decodeRecord, encodeHeader, type Header } from "#protocol/record.ts";
import { sealBody } from "#protocol/seal.ts";
import {
  all,
  complaint,
  findings,
  flipped,
  honest,
  isFrom,
  isTo,
  onFrame,
  onPush,
  passing,
  pushed,
  resigned,
  say,
  signedFace,
  told,
  withheld,
  withRecord,
} from "#test/lying-broker.ts";
import { CALLER, createMesh, type Frame, type Member } from "#test/mesh.ts";

async function three() {
  const mesh = await createMesh();
  const [alice, bob, mallory] = [
    await mesh.person("alice"),
    await mesh.person("bob"),
    await mesh.person("mallory"),
  ];
  await mesh.team(alice, bob, mallory);
  return { mesh, alice, bob, mallory };
}

const texts = async (member: Member) => (await member.inbox()).map(({ text }) => text);
const hears = (member: Member, text: string) =>
  member.until(async () => (await texts(member)).includes(text), `"${text}"`);
const idOf = ({ peer }: Member) => peer.account.user;

test.each(["signature", "body"] as const)(
  "a record with one changed bit in its %s is refused, and the next one is taken",
  async (part) => {
    const { alice, bob } = await three();
    bob.toDevice = onPush(isFrom(alice), (record, frame) => [withRecord(frame, flipped(record, part))]);
    await alice.send("bob", "changed on the way");
    await bob.until(() => bob.refusals().length === 1, "the refusal");
    expect(bob.refusals()).toEqual(["bad_signature"]);
    bob.toDevice = honest;
    await alice.send("bob", "whole");
    await hears(bob, "whole");
    expect(await texts(bob)).toEqual(["whole"]);
    expect(await complaint(bob)).toMatch(/1 refused/);
  },
);

type Lie = {
  /** How the broker, with the help of mallory's device, makes another record of alice's. */
  make(mallory: Member, workspace: string, whose: { header: Header; body: Uint8Array }): Promise<Uint8Array>;
  code: string;
};

const stranger = "01a00000-0000-7000-8000-00000000000a";
const rewraps: Record<string, Lie> = {
  "in alice's name, signed by another member": {
    make: (mallory, workspace, record) =>
      resigned(mallory, workspace, record, { dev: mallory.peer.account.device.id }),
    code: "wrong_author",
  },
  "under alice's device, signed by another": {
    make: (mallory, workspace, record) => resigned(mallory, workspace, record, { id: stranger }),
    code: "bad_signature",
  },
  "as another member's own words": {
    make: (mallory, workspace, record) =>
      resigned(mallory, workspace, record, { from: idOf(mallory), dev: mallory.peer.account.device.id }),
    code: "bad_seal",
  },
  "under another label": {
    make: (mallory, workspace, record) =>
      resigned(mallory, workspace, record, {
        from: idOf(mallory),
        dev: mallory.peer.account.device.id,
        to: EVERYONE,
        alg: "label",
        kid: "",
      }),
    code: "bad_seal",
  },
  "under a seed that nobody has": {
    make: (mallory, workspace, record) =>
      resigned(mallory, workspace, record, {
        from: idOf(mallory),
        dev: mallory.peer.account.device.id,
        kid: "7.0",
      }),
    code: "bad_key",
  },
  "signed for another workspace": {
    make: (mallory, _, record) =>
      resigned(mallory, "A".repeat(22), record, {
        from: idOf(mallory),
        dev: mallory.peer.account.device.id,
      }),
    code: "bad_signature",
  },
};

test.each(Object.entries(rewraps))(
  "what alice has sealed, shown %s, is refused",
  async (_, { make, code }) => {
    const { alice, bob, mallory } = await three();
    const { workspace } = bob.opened();
    const words = passing(bob, isFrom(alice));
    bob.toDevice = ((pass) => all(pass, withheld(isFrom(alice))))(bob.toDevice);
    await alice.send("bob", "for bob alone");
    const forged = await make(mallory, workspace.id, await words);
    bob.toDevice = withheld(isFrom(alice));
    say(bob, pushed(bob, forged));
    await bob.until(() => bob.refusals().length === 1, "the refusal");
    expect(bob.refusals()).toEqual([code]);
    expect(await texts(bob)).toEqual([]);
  },
);

test("a device that isn't in the workspace speaks for nobody", async () => {
  const { mesh, alice, bob } = await three();
  const outside = await mesh.person("outside");
  const words = passing(bob, isFrom(alice));
  await alice.send("bob", "first");
  const forged = await resigned(outside, bob.opened().workspace.id, await words, {
    dev: outside.peer.account.device.id,
    id: stranger,
  });
  await hears(bob, "first");
  say(bob, pushed(bob, forged));
  await bob.until(() => bob.refusals().length === 1, "the refusal");
  expect(bob.refusals()).toEqual(["unknown_device"]);
});

test("what a member seals that is no event is refused, and those who talk meanwhile hear each other", async () => {
  const { alice, bob, mallory } = await three();
  const { workspace } = mallory.opened();
  const words = passing(bob, isFrom(mallory));
  await mallory.send("*", "an event");
  const { header } = await words;
  const changed = { ...header, id: stranger, n: header.n + 1 };
  const key = recordKey(
    workspace.keyring.contentKey(0, EVERYONE) ?? never(),
    workspace.id,
    encodeHeader(changed),
  );
  const body = sealBody(key, utf8("no event"), systemRandom);
  say(bob, pushed(bob, await resigned(mallory, workspace.id, { header: changed, body })));
  await bob.until(() => bob.refusals().length === 1, "the refusal");
  expect(bob.refusals()).toEqual(["bad_data"]);
  bob.cut();
  await alice.send("bob", "still here");
  await hears(bob, "still here");
});

test("a record pushed again at another place counts once, and is named", async () => {
  const { alice, bob } = await three();
  const words = passing(bob, isFrom(alice));
  await alice.send("bob", "once");
  const { bytes } = await words;
  const again = Uint8Array.from(bytes);
  await hears(bob, "once");
  say(bob, pushed(bob, again));
  await bob.until(() => bob.refusals().length === 1, "the refusal");
  expect(bob.refusals()).toEqual(["replayed"]);
  expect(await texts(bob)).toEqual(["once"]);
});

test("records in another order than they were placed in are named, and what was pushed too late is missing", async () => {
  const { alice, bob } = await three();
  const held: Uint8Array[] = [];
  const [first, second] = [{ n: 1 }, { n: 2 }];
  bob.toDevice = onPush(isTo(EVERYONE), ({ header }, frame) => {
    if (header.n === first.n) held.push(Uint8Array.from(frame));
    return header.n === second.n ? [frame, ...held] : [];
  });
  await alice.send("*", "first");
  await alice.send("*", "second");
  await bob.until(() => bob.refusals().length === 1, "the refusal");
  expect(bob.refusals()).toEqual(["reordered"]);
  expect(await texts(bob)).toEqual(["second"]);
});

/** What bob has of alice's words to everybody when the broker drops some: as many as she says, and as he is told. */
async function dropping(which: (n: number) => boolean, count: number) {
  const { alice, bob } = await three();
  bob.toDevice = withheld((record) => isTo(EVERYONE)(record) && which(record.header.n));
  for (let n = 1; n <= count; n++) await alice.send("*", String(n));
  await alice.until(() => alice.opened().workspace.replica.outboxSize() === 0, "her words to be placed");
  return { alice, bob };
}

test("a record dropped from the middle is missing by its number", async () => {
  const { bob } = await dropping((n) => n === 2, 3);
  await hears(bob, "3");
  expect(await findings(bob)).toEqual(["withheld: number 2"]);
  expect(await complaint(bob)).toBe("1 withheld");
});

test("records dropped from the end are missing by the face of who said them", async () => {
  const { alice, bob } = await dropping((n) => n > 1, 3);
  await hears(bob, "1");
  const through = alice.opened().workspace.replica.cursor();
  await bob.until(() => bob.opened().workspace.replica.cursor() >= through, "the log's end");
  expect(await findings(bob)).toEqual([]);
  say(bob, told(await signedFace(alice, { counters: { through, n: { [EVERYONE]: 3 } } })));
  await bob.until(async () => (await findings(bob)).length > 0, "the finding");
  expect(await findings(bob)).toEqual(["withheld: numbers 2 to 3, as the sender's own device says"]);
});

test("a direct message that is dropped stays without a receipt: its sender isn't told that it was delivered", async () => {
  const { alice, bob } = await three();
  bob.toDevice = withheld(isFrom(alice));
  const { id } = await alice.send("bob", "never shown");
  await alice.until(() => alice.opened().workspace.replica.outboxSize() === 0, "it to be stored");
  const state = async () =>
    (await alice.handlers.message.status({ id }, CALLER, () => {})).receipts.map((one) => one.state);
  expect(await state()).not.toContain("delivered");
});

test("what is acknowledged and never shown in the log isn't taken for stored: it is named, and sent again", async () => {
  const { alice, bob } = await three();
  const head = () => alice.opened().workspace.replica.cursor();
  // The broker keeps the record from everybody, and says that it has it.
  alice.toBroker = (frame: Frame) => {
    if (typeof frame === "string") return [frame];
    const record = decodeRecord(decodeRecordFrame(frame).record);
    const { header } = record;
    if (!isTo(idOf(bob))(record)) return [frame];
    say(alice, JSON.stringify({ type: "ack", id: header.id, seq: head() + 1, at: 0 }));
    return [];
  };
  await alice.send("bob", "acknowledged only");
  await bob.send("*", "the log goes on");
  await alice.until(() => alice.refusals().length > 0, "the finding");
  expect(alice.refusals()).toEqual(["not_stored"]);
  expect(await texts(bob)).toEqual([]);
  alice.toBroker = honest;
  alice.cut();
  await hears(bob, "acknowledged only");
});

test("acknowledgements that come twice, or name another place, change nothing", async () => {
  const { alice, bob } = await three();
  alice.toDevice = onFrame("ack", (ack) => [
    JSON.stringify({ ...ack, seq: ack.seq + 1000 }),
    JSON.stringify(ack),
    JSON.stringify(ack),
  ]);
  await alice.send("bob", "one");
  await alice.send("bob", "two");
  await hears(bob, "two");
  expect(await texts(bob)).toEqual(["one", "two"]);
  await alice.until(() => alice.opened().workspace.replica.outboxSize() === 0, "the echoes");
  expect(alice.refusals()).toEqual([]);
});

function never(): never {
  throw new Error("mallory has the key");
}
