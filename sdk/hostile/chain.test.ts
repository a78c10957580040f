// A broker that keeps membership entries back, forks the chain, or delays a removal: heads that others signed tell.
import { expect, test } from "vitest";
import { decodeEntry } from "#protocol/chain/entries.ts";
import { currentEpoch } from "#protocol/chain/state.ts";
import { EVERYONE } from "#protocol/ids.ts";
import { decodeRecord } from "#protocol/record.ts";
import {
  all,
  complaint,
  encoded,
  findings,
  forgedEntry,
  honest,
  isChain,
  isFrom,
  onFrame,
  onPush,
  passing,
  pushed,
  say,
  sealedBy,
  signedFace,
  told,
  troubleOf,
  withheld,
  withRecord,
} from "#test/lying-broker.ts";
import { CALLER, createMesh, type Member } from "#test/mesh.ts";
import { holdings, keptBy, openEverything } from "#test/open-everything.ts";

async function three() {
  const mesh = await createMesh();
  const [alice, bob, carol] = [
    await mesh.person("alice"),
    await mesh.person("bob"),
    await mesh.person("carol"),
  ];
  await mesh.team(alice, bob, carol);
  for (const member of [alice, bob, carol]) await quiet(member);
  return { mesh, alice, bob, carol };
}

/** Nothing of its own is on the way. */
const quiet = (member: Member) =>
  member.until(() => member.opened().workspace.replica.outboxSize() === 0, "its outbox to be empty");

const anInvite = async (member: Member) => member.handlers.invite.create({}, CALLER, () => {});
const remove = async (by: Member, member: string) =>
  by.handlers.workspace.remove({ member }, CALLER, () => {});
const noFaces = onFrame("faces", () => []);
const epochOf = (member: Member) => {
  const chain = member.opened().workspace.chain();
  return chain ? currentEpoch(chain) : undefined;
};
/** Of the chain, as the other's face says. */
const headOf = (member: Member, other: Member) =>
  member
    .opened()
    .workspace.presence.present()
    .find(({ dev }) => dev === other.peer.account.device.id)?.face.head.height;
const height = (member: Member) => member.opened().workspace.chain()?.head.height ?? -1;

async function reconnected(member: Member): Promise<void> {
  const before = member.toDevice;
  const greeted = new Promise<void>((resolve) => {
    const look = onFrame("hello_ack", (ack) => {
      resolve();
      return [encoded(ack)];
    });
    member.toDevice = (frame) => look(frame).flatMap(before);
  });
  member.cut();
  await greeted;
  await member.until(() => member.opened().workspace.link() === "online", "the new link");
}

/** What bob says stays with him: a signal that he gives after it, and which nothing holds back, has come to alice. */
async function keepsBack(bob: Member, to: string, alice: Member): Promise<void> {
  const sent = sealedBy(bob);
  const heard = new Promise<void>((resolve) => {
    alice.peer.listen((_, happening) => {
      if (happening.type === "told" && happening.told.to === "after it") resolve();
    });
  });
  await bob.send(to, "kept here");
  bob.opened().workspace.signals.tell(EVERYONE, { kind: "typing", to: "after it" });
  await heard;
  expect(sent).toEqual([]);
  expect(bob.opened().workspace.replica.outboxSize()).toBe(1);
}

test("an entry kept back shows in the next record of somebody who knows it; nothing is sealed from then on", async () => {
  const { alice, bob } = await three();
  bob.toDevice = all(withheld(isChain), noFaces);
  await anInvite(alice);
  await alice.send("bob", "I know more than you");
  await bob.until(() => troubleOf(bob) === "chain_withheld", "the distrust");
  expect(bob.refusals()).toEqual(["chain_withheld"]);
  expect(await findings(bob)).toEqual([
    expect.stringMatching(/refused: record \d+: chain_withheld/),
    expect.stringMatching(/withheld: entries up to \d+, as the member's own device says/),
  ]);
  expect(await complaint(bob)).toBe("1 refused, 1 withheld");
  await keepsBack(bob, "alice", alice);
});

test("an entry kept back shows in the face of who knows it, though nothing is said", async () => {
  const { alice, bob } = await three();
  bob.toDevice = withheld(isChain);
  await anInvite(alice);
  say(bob, told(await signedFace(alice)));
  await bob.until(() => troubleOf(bob) === "chain_withheld", "the distrust");
  expect(bob.refusals()).toEqual([]);
  await keepsBack(bob, "alice", alice);
});

test("a removal kept back from one: nobody who knows of it says anything that the removed can read", async () => {
  const { mesh, alice, bob, carol } = await three();
  const removed = carol.peer.account.user;
  const hers = await holdings(carol);
  const head = keptBy(mesh.path).at(-1)?.seq ?? 0;
  bob.toDevice = withheld(isChain);
  await remove(alice, "carol");
  const before = alice.opened().workspace.chain()?.epochs.length ?? 0;
  const sent = sealedBy(alice);
  await alice.send("*", "after the removal");
  await alice.until(() => sent.length > 0, "alice's word to leave");
  expect(epochOf(alice)?.number).toBe(before);
  expect(sent.map(({ header }) => header.epoch)).toEqual([before]);
  expect(epochOf(alice)?.sealed.has(removed)).toBe(false);
  await alice.until(() => alice.opened().workspace.replica.outboxSize() === 0, "it to be placed");
  const since = keptBy(mesh.path).filter(({ seq, record }) => seq > head && isFrom(alice)(record));
  expect(since.length).toBeGreaterThan(0);
  expect(openEverything(hers, since)).toEqual([]);
  expect(openEverything(await holdings(alice), since).length).toBe(since.length);
  // And bob, who doesn't know of it, says nothing since alice's word has told him that there is something to know.
  await bob.until(() => troubleOf(bob) === "chain_withheld", "the distrust");
  await keepsBack(bob, "*", alice);
});

test("a removal that the greeting names and the pushes don't bring stops sealing before the first word", async () => {
  const { alice, bob } = await three();
  bob.toDevice = all(withheld(isChain), noFaces);
  await remove(alice, "carol");
  await alice.until(
    () => alice.opened().workspace.chain()?.members.get(alice.peer.account.user) !== undefined,
    "it",
  );
  await reconnected(bob);
  await keepsBack(bob, "*", alice);
});

test("a removal that comes late is noticed in a face, and what waited is sealed to those who are left", async () => {
  const { alice, bob, carol } = await three();
  const late: Uint8Array[] = [];
  const cursor = bob.opened().workspace.replica.cursor();
  // In its order, as a slow way would.
  bob.toDevice = (frame) => {
    if (typeof frame === "string")
      return onFrame("heartbeat", (beat) => [encoded({ ...beat, through: cursor })])(frame);
    late.push(Uint8Array.from(frame));
    return [];
  };
  await remove(alice, "carol");
  say(bob, told(await signedFace(alice)));
  await bob.until(() => (headOf(bob, alice) ?? 0) > height(bob), "alice's face");
  await keepsBack(bob, "*", alice);
  const sent = sealedBy(bob);
  bob.toDevice = honest;
  say(bob, ...late);
  await bob.until(() => sent.length > 0, "bob's word to leave");
  expect(sent[0]?.header.epoch).toBe(epochOf(bob)?.number);
  expect(epochOf(bob)?.sealed.has(carol.peer.account.user)).toBe(false);
  expect(await findings(bob)).toEqual([]);
});

/** Another entry by alice's own device in the place of hers: as if her device were two, or the broker had shown her two pasts. */
async function other(alice: Member): Promise<Uint8Array> {
  return forgedEntry(alice, alice, {
    type: "invite",
    code: "AAAAAAAA",
    key: "A".repeat(43),
    role: "member",
    expiresAt: 1,
    uses: 1,
  });
}

test("two chains show as soon as their members talk, and a new link doesn't make it forgotten", async () => {
  const { alice, bob } = await three();
  const entry = await other(alice);
  bob.toDevice = all(
    onPush(isChain, (_, frame) => [withRecord(frame, entry)]),
    noFaces,
  );
  await anInvite(alice);
  await alice.send("bob", "on my chain");
  await bob.until(() => troubleOf(bob) === "chain_forked", "the distrust");
  expect(bob.refusals()).toEqual(["chain_forked"]);
  await keepsBack(bob, "alice", alice);
  // A greeting that fits to what bob was shown: nobody else's word is needed to remember.
  const head = bob.opened().workspace.chain()?.head ?? null;
  bob.toDevice = all(
    onFrame("hello_ack", (ack) => [encoded({ ...ack, chain: head })]),
    noFaces,
  );
  await reconnected(bob);
  expect(troubleOf(bob)).toBe("chain_forked");
  expect(bob.opened().workspace.replica.outboxSize()).toBe(1);
});

test("two chains show in faces, though nothing is said", async () => {
  const { alice, bob } = await three();
  const entry = await other(alice);
  bob.toDevice = onPush(isChain, (_, frame) => [withRecord(frame, entry)]);
  await anInvite(alice);
  say(bob, told(await signedFace(alice)));
  await bob.until(() => troubleOf(bob) === "chain_forked", "the distrust");
  expect(await findings(bob)).toEqual([
    expect.stringMatching(/forked: another entry \d+, as the member's own/),
  ]);
  expect(await complaint(bob)).toBe("1 forked");
  // What she signs for later is no excuse.
  const later = { height: height(bob) + 1, hash: "A".repeat(43) };
  say(bob, told(await signedFace(alice, { head: later })));
  await bob.until(() => headOf(bob, alice) === later.height, "her next face");
  expect(troubleOf(bob)).toBe("chain_forked");
  await keepsBack(bob, "alice", alice);
});

test("a head that nobody has stops its receivers only until its author is removed", async () => {
  const { alice, bob, carol } = await three();
  const head = { height: height(bob) + 7, hash: "A".repeat(43) };
  say(bob, told(await signedFace(carol, { head })));
  await bob.until(() => troubleOf(bob) === "chain_withheld", "the distrust");
  await keepsBack(bob, "alice", alice);
  await remove(alice, "carol");
  await bob.until(() => bob.opened().workspace.replica.outboxSize() === 0, "bob's word to be placed");
  expect(troubleOf(bob)).toBeNull();
});

test("nobody is handed the workspace's key by somebody who knows that entries are missing", async () => {
  const { mesh, alice, bob, carol } = await three();
  const head = { height: height(alice) + 7, hash: "A".repeat(43) };
  say(alice, told(await signedFace(bob, { head })));
  await alice.until(() => troubleOf(alice) === "chain_withheld", "the distrust");
  for (const member of [bob, carol]) await member.stop();
  const dave = await mesh.person("dave");
  const { url } = await anInvite(alice);
  await dave.handlers.invite.accept({ url }, CALLER, () => {});
  await alice.until(
    () => alice.opened().workspace.chain()?.members.has(dave.peer.account.user) === true,
    "dave",
  );
  await remove(alice, "bob");
  await dave.until(() => dave.opened().workspace.keyring.workspaceKey(1) !== null, "the next key");
  const types = alice
    .opened()
    .workspace.replica.chain()
    .map(({ bytes }) => decodeEntry(decodeRecord(bytes).body).type);
  expect(types.slice(-4)).toEqual(["invite", "join", "remove", "epoch"]);
});

test("an entry shown again at a later place would move somebody's leaving: it is refused", async () => {
  const { alice, bob } = await three();
  const leaving = passing(bob, (record) => isChain(record) && decodeEntry(record.body).type === "remove");
  await remove(alice, "carol");
  const { bytes } = await leaving;
  const again = Uint8Array.from(bytes);
  await alice.send("bob", "after it");
  await bob.until(async () => (await bob.inbox()).length === 1, "alice's word");
  const place = () =>
    bob
      .opened()
      .workspace.replica.chain()
      .find((row) => Buffer.from(row.bytes).equals(again))?.seq;
  const before = place();
  say(bob, pushed(bob, again));
  await bob.until(() => troubleOf(bob) === "replayed", "the distrust");
  expect(place()).toBe(before);
});
