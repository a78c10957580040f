import { expect, test } from "vitest";
import { nodeCurves } from "#adapters/curves.ts";
import { toBase64url } from "#protocol/bytes.ts";
import { encodeFrame, encodeRecordFrame, helloInput } from "#protocol/frames.ts";
import { createMesh, type Frame, ORIGIN, rawConnection, signedHello } from "#test/mesh.ts";
import { greeted, recordFrame } from "#test/raw-device.ts";

async function pair() {
  const mesh = await createMesh();
  const alice = await mesh.person("alice");
  const bob = await mesh.person("bob");
  await mesh.team(alice, bob);
  return { mesh, alice, bob };
}

test("a hello heard before opens nothing: it doesn't fit the next challenge", async () => {
  const { mesh, alice } = await pair();
  const recorded: Frame[] = [];
  alice.toBroker = (frame) => {
    if (typeof frame === "string" && frame.includes('"hello"')) recorded.push(frame);
    return [frame];
  };
  alice.cut();
  await alice.until(() => recorded.length > 0, "a hello to record");
  const raw = rawConnection(mesh);
  await raw.next("challenge");
  raw.send(recorded[0] ?? "");
  expect(await raw.next("error")).toMatchObject({ code: "bad_signature" });
});

test("a hello meant for another broker is refused, and so is one whose claims were changed", async () => {
  const { mesh, alice, bob } = await pair();
  const answerTo = async (change: Parameters<typeof signedHello>[2]) => {
    const raw = rawConnection(mesh);
    const { nonce } = await raw.next("challenge");
    raw.send(await signedHello(alice, String(nonce), change));
    return (await raw.next("error")).code;
  };
  expect(await answerTo({ before: { origin: "http://evil.test" } })).toBe("wrong_author");
  expect(await answerTo({ before: { origin: "http://evil.test" }, after: { origin: ORIGIN } })).toBe(
    "bad_signature",
  );
  expect(await answerTo({ after: { cursor: 7 } })).toBe("bad_signature");
  expect(await answerTo({ after: { labels: ["*"] } })).toBe("bad_signature");
  expect(await answerTo({ before: { member: bob.peer.account.user } })).toBe("not_a_member");
  expect(await answerTo({ before: { protocol: 2 } })).toBe("version_skew");
  expect(await answerTo({ before: { labels: [bob.peer.account.user] } })).toBe("not_allowed");
});

test("a stranger's device isn't let in, and may found nothing but its own workspace", async () => {
  const { mesh, alice } = await pair();
  const eve = await mesh.person("eve");
  await mesh.team(eve);
  const { id } = alice.opened().workspace;
  const stranger = rawConnection(mesh);
  const { nonce } = await stranger.next("challenge");
  stranger.send(await signedHello(eve, String(nonce), { before: { workspace: id } }));
  expect(await stranger.next("error")).toMatchObject({ code: "not_a_member" });

  const founder = rawConnection(mesh);
  const challenge = await founder.next("challenge");
  const unknown = toBase64url(new Uint8Array(16));
  founder.send(await signedHello(eve, String(challenge.nonce), { before: { workspace: unknown } }));
  expect(await founder.next("hello_ack")).toMatchObject({ standing: "founding" });
  const genesis = eve.opened().workspace.replica.chain()[0]?.bytes ?? new Uint8Array(0);
  founder.send(encodeRecordFrame({ type: "send" }, genesis));
  expect(await founder.next("error")).toMatchObject({ code: "chain_invalid" });
  founder.send(recordFrame(eve, {}));
  expect(await founder.next("error")).toMatchObject({ code: "not_a_member" });
});

test("a joining device may send its join and nothing else", async () => {
  const { mesh, alice } = await pair();
  const { url } = await alice.handlers.invite.create({}, { session: null, ended() {} }, () => {});
  const { decodeInviteLink } = await import("#protocol/invite-link.ts");
  const { inviteSeed } = await import("#protocol/derive.ts");
  const { code, secret } = decodeInviteLink(url);
  const eve = await mesh.person("eve");
  await mesh.team(eve);
  const raw = rawConnection(mesh);
  const { nonce } = await raw.next("challenge");
  const { user, device } = eve.peer.account;
  const claims = {
    protocol: 1,
    origin: ORIGIN,
    workspace: alice.opened().workspace.id,
    member: user,
    key: toBase64url(device.key),
    logId: null,
    cursor: 0,
    last: null,
    labels: [],
  };
  const input = helloInput(String(nonce), claims);
  const signature = toBase64url(await nodeCurves.sign(device.secret, input));
  const invite = { code, signature: toBase64url(await nodeCurves.sign(inviteSeed(secret), input)) };
  raw.send(encodeFrame({ type: "hello", ...claims, signature, invite }));
  expect(await raw.next("hello_ack")).toMatchObject({ standing: "joining" });
  raw.send(recordFrame(eve, { head: alice.opened().workspace.chain()?.head ?? null }));
  expect(await raw.next("error")).toMatchObject({ code: "not_a_member" });
  raw.send(encodeFrame({ type: "read", request: 1, label: "*", before: 99, limit: 10 }));
  expect(await raw.next("error")).toMatchObject({ code: "not_a_member", request: 1 });
});

test("a member speaks for nobody else, reads nobody else's label, and sends no plaintext", async () => {
  const { mesh, alice, bob } = await pair();
  const raw = await greeted(mesh, bob);
  const refusal = async (frame: Frame) => {
    raw.send(frame);
    return (await raw.next("error")).code;
  };
  const other = alice.peer.account.user;
  expect(await refusal(recordFrame(bob, { from: other }))).toBe("wrong_author");
  expect(await refusal(recordFrame(bob, { dev: alice.peer.account.device.id }))).toBe("wrong_author");
  expect(await refusal(recordFrame(bob, { alg: "none" }))).toBe("bad_record");
  expect(await refusal(recordFrame(bob, { id: "01900000-0000-7000-8000-000000000000" }))).toBe("too_old");
  expect(await refusal(recordFrame(bob, { to: "chain", alg: "none" }, new Uint8Array([1])))).toBe(
    "chain_invalid",
  );
  expect(await refusal(encodeFrame({ type: "subscribe", request: 1, labels: [other] }))).toBe("not_allowed");
  expect(await refusal(encodeFrame({ type: "read", request: 2, label: other, before: 99, limit: 10 }))).toBe(
    "not_allowed",
  );
  // The order is kept: what follows a record refused for now is dropped until that record returns.
  const stale = recordFrame(bob, { epoch: 7 });
  expect(await refusal(stale)).toBe("stale_epoch");
  raw.send(recordFrame(bob, {}));
  expect(await refusal(stale)).toBe("stale_epoch");
});

test("noise instead of frames ends that connection and no other", async () => {
  const { mesh, alice, bob } = await pair();
  const raw = await greeted(mesh, bob);
  raw.send("{not json");
  expect(await raw.next("error")).toMatchObject({ code: "bad_frame" });
  const early = rawConnection(mesh);
  await early.next("challenge");
  early.send(Uint8Array.of(0, 5, 1));
  expect(await early.next("error")).toMatchObject({ code: "bad_frame" });
  await alice.send("bob", "still here");
  await bob.until(async () => (await bob.inbox()).length === 1, "the message");
});
