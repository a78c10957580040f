import { expect, test } from "vitest";
import { toBase64url, u16, utf8 } from "#protocol/bytes.ts";
import { encodeFrame, encodeRecordFrame } from "#protocol/frames.ts";
import { LIMITS } from "#protocol/limits.ts";
import { createMesh, type Member, type Mesh, rawConnection, signedHello } from "#test/mesh.ts";
import { greeted, recordFrame } from "#test/raw-device.ts";
import type { BrokerLimits } from "../limits.ts";

async function pair(limits: Partial<BrokerLimits> = {}) {
  const mesh = await createMesh(limits);
  const alice = await mesh.person("alice");
  const bob = await mesh.person("bob");
  await mesh.team(alice, bob);
  return { mesh, alice, bob };
}

const texts = async (member: Member) => (await member.inbox()).map(({ text }) => text);

/** What the broker answers to the frame of a greeted device, before it ends the connection. */
async function lastWord(mesh: Mesh, member: Member, frame: string | Uint8Array) {
  const raw = await greeted(mesh, member);
  raw.send(frame);
  const error = await raw.next("error");
  await raw.ended;
  return error.code;
}

test("a control frame that is longer than any of ours, or nests deeper, ends its connection unparsed", async () => {
  const { mesh, bob } = await pair();
  const labels = Array.from({ length: 10 * LIMITS.labels }, (_, i) =>
    toBase64url(utf8(String(i).padStart(16))),
  );
  expect(await lastWord(mesh, bob, JSON.stringify({ type: "unsubscribe", labels }))).toBe("too_large");
  expect(await lastWord(mesh, bob, "[".repeat(60_000))).toBe("bad_frame");
});

test("a record whose header nests deep, or is longer than a header, ends its connection", async () => {
  const { mesh, bob } = await pair();
  const sent = (header: string) => {
    const bytes = utf8(header);
    const record = Uint8Array.from([...u16(bytes.length), ...bytes, ...new Uint8Array(400)]);
    return lastWord(mesh, bob, encodeRecordFrame({ type: "send" }, record));
  };
  expect(await sent(`{"id":${"[".repeat(900)}${"]".repeat(900)}}`)).toBe("bad_record");
  expect(await sent(" ".repeat(LIMITS.header + 1))).toBe("bad_record");
});

test("a face that is larger than a face can be ends its connection", async () => {
  const { mesh, bob } = await pair();
  const { user, device } = bob.peer.account;
  const said = {
    type: "presence" as const,
    member: user,
    dev: device.id,
    counter: 1,
    epoch: 0,
    signature: "AA",
  };
  expect(
    await lastWord(mesh, bob, encodeFrame({ ...said, sealed: "A".repeat(2 * LIMITS.presence + 4) })),
  ).toBe("bad_frame");
});

test("of more than four connections of one device the oldest is ended, and told to stay away for a while", async () => {
  const { mesh, bob } = await pair({ longestBackOffMs: 777 });
  bob.toBroker = () => [];
  bob.cut();
  const oldest = await greeted(mesh, bob);
  const others = [await greeted(mesh, bob), await greeted(mesh, bob), await greeted(mesh, bob)];
  const newest = await greeted(mesh, bob);
  expect(await oldest.next("error")).toMatchObject({ code: "busy", retry: true, retryAfterMs: 777 });
  await oldest.ended;
  for (const raw of [...others, newest]) {
    raw.send(encodeFrame({ type: "subscribe", request: 1, labels: [] }));
    expect(await raw.next("subscribed")).toMatchObject({ request: 1 });
  }
});

test("from one address only so many may be unknown at once; who is known makes room, and so does who goes", async () => {
  const { mesh, bob } = await pair({ strangersPerAddress: 2 });
  const [first, second] = [rawConnection(mesh, "a"), rawConnection(mesh, "a")];
  const { nonce } = await first.next("challenge");
  await second.next("challenge");
  const third = rawConnection(mesh, "a");
  expect(await third.next("error")).toMatchObject({ code: "busy", retryAfterMs: expect.any(Number) });
  await third.ended;
  await rawConnection(mesh, "b").next("challenge");
  first.send(await signedHello(bob, String(nonce)));
  await first.next("hello_ack");
  await rawConnection(mesh, "a").next("challenge");
  expect(await rawConnection(mesh, "a").next("error")).toMatchObject({ code: "busy" });
  second.close();
  await second.ended;
  await rawConnection(mesh, "a").next("challenge");
});

test("a broker that is full says when to come back", async () => {
  const { mesh } = await pair({ connections: 3 });
  await rawConnection(mesh).next("challenge");
  expect(await rawConnection(mesh).next("error")).toMatchObject({ code: "busy", retry: true });
});

test("a device that sends too fast is slowed down: all arrives, once, in its order", async () => {
  const { alice, bob } = await pair({ frameBurst: 100, framesPerSecond: 40 });
  const refusals: string[] = [];
  alice.toDevice = (frame) => {
    if (typeof frame === "string" && frame.includes('"busy"')) refusals.push(frame);
    return [frame];
  };
  const said = Array.from({ length: 160 }, (_, i) => `message ${i}`);
  await Promise.all(said.map((text) => alice.send("bob", text)));
  await bob.until(async () => (await texts(bob)).length === said.length, "all of them");
  expect(await texts(bob)).toEqual(said);
  expect(refusals.length).toBeGreaterThan(0);
  // Each was about one record: it was never cut off, as it did what it was told.
  expect(refusals.filter((frame) => !frame.includes('"id"'))).toEqual([]);
});

test("a device that is told to wait and goes on sending is cut off; what it sent in time is kept", async () => {
  const { mesh, alice, bob } = await pair({ frameBurst: 20, framesPerSecond: 1, ignoredFrames: 50 });
  bob.toBroker = () => [];
  bob.cut();
  const raw = await greeted(mesh, bob);
  for (let i = 0; i < 40; i++) raw.send(recordFrame(bob));
  const first = await raw.next("error");
  expect(first).toMatchObject({ code: "busy", id: expect.any(String), retryAfterMs: expect.any(Number) });
  for (let i = 0; i < 40; i++) raw.send(recordFrame(bob));
  const last = await raw.next("error");
  expect(last).toMatchObject({ code: "busy", retryAfterMs: expect.any(Number) });
  expect(last).not.toHaveProperty("id");
  await raw.ended;
  await alice.until(() => alice.refusals().length >= 19, "what was sent within the pace");
});

test("a page ends by size, and says that there is more", async () => {
  const { mesh, bob } = await pair({ pageBytes: 1 });
  const raw = await greeted(mesh, bob);
  raw.send(encodeFrame({ type: "read", request: 1, label: "chain", before: 99, limit: 200 }));
  expect(await raw.next("page")).toEqual({ type: "page", request: 1, more: true });
});
