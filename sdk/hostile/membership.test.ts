// A broker that lies about who belongs: nobody is added, kept or given a key by its word, and each lie has a name.
import { expect, test } from "vitest";
import { systemRandom } from "#adapters/clock.ts";
import { nodeCurves } from "#adapters/curves.ts";
import { toBase64url } from "#protocol/bytes.ts";
import { type ChainEntry, decodeEntry, encodeEntry } from "#protocol/chain/entries.ts";
import { joinProofInput } from "#protocol/chain/proofs.ts";
import { inviteSeed } from "#protocol/derive.ts";
import { encodeRecord, type Header } from "#protocol/record.ts";
import {
  findings,
  flipped,
  forgedEntry,
  isChain,
  onPush,
  sealedBy,
  troubleOf,
  withRecord,
} from "#test/lying-broker.ts";
import { CALLER, createMesh, type Member, type Mesh, refusedWith } from "#test/mesh.ts";
import { sealingPair } from "../account/account.ts";
import { deviceFields } from "../membership/chain.ts";
import { createKeyring } from "../membership/keyring.ts";

async function team() {
  const mesh = await createMesh();
  const [alice, bob, mallory] = [
    await mesh.person("alice"),
    await mesh.person("bob"),
    await mesh.person("mallory"),
  ];
  await mesh.team(alice, bob);
  return { mesh, alice, bob, mallory };
}

const anInvite = async (member: Member) => member.handlers.invite.create({}, CALLER, () => {});

/** In the place of the next entry bob is shown another; bob's answer is a name, and silence. */
async function shownInstead(alice: Member, bob: Member, forged: Uint8Array): Promise<string | null> {
  bob.toDevice = onPush(isChain, (_, frame) => [withRecord(frame, forged)]);
  const sent = sealedBy(bob);
  await anInvite(alice);
  await bob.until(() => troubleOf(bob) !== null, "the distrust");
  await bob.send("alice", "kept here");
  expect(bob.opened().workspace.link()).toBe("offline");
  expect(sent).toEqual([]);
  expect(bob.opened().workspace.chain()?.members.size).toBe(2);
  expect(await findings(bob)).toEqual([expect.stringMatching(`refused: record \\d+: ${troubleOf(bob)}`)]);
  return troubleOf(bob);
}

async function joinOf(
  mallory: Member,
  workspace: string,
  invite: { code: string; secret: Uint8Array },
): Promise<Extract<ChainEntry, { type: "join" }>> {
  const { account, ports } = mallory.peer;
  const { key } = await sealingPair(ports, account, workspace);
  const claim = { code: invite.code, user: account.user, root: account.rootKey, sealing: key };
  const proof = await nodeCurves.sign(inviteSeed(invite.secret), joinProofInput(workspace, claim));
  return {
    type: "join",
    code: invite.code,
    root: toBase64url(account.rootKey),
    sealing: toBase64url(key),
    seed: 0,
    device: deviceFields(account),
    proof: toBase64url(proof),
  };
}

const madeUp = { code: "AAAAAAAA", secret: systemRandom(16) };

async function inviteEntry(): Promise<ChainEntry> {
  const key = toBase64url(await nodeCurves.signingPublicKey(inviteSeed(madeUp.secret)));
  const { code } = madeUp;
  return { type: "invite", code, key, role: "member", expiresAt: 2 ** 42, uses: 1 };
}

type Forging = (alice: Member, bob: Member, mallory: Member) => Promise<Uint8Array>;
const inNameOf = ({ peer: { account } }: Member): Partial<Header> => ({
  from: account.user,
  dev: account.device.id,
});

const lies: [string, string, Forging][] = [
  [
    "a member who joins by an invite that it made up",
    "invite_not_found",
    async (_, bob, mallory) =>
      forgedEntry(mallory, bob, await joinOf(mallory, bob.opened().workspace.id, madeUp)),
  ],
  [
    "a member who joins by an open invite whose secret it doesn't know",
    "invite_bad_signature",
    async (alice, bob, mallory) => {
      const { code } = await anInvite(alice);
      await bob.until(() => bob.opened().workspace.chain()?.invites.has(code) === true, "the invite");
      const guess = { code, secret: systemRandom(16) };
      return forgedEntry(mallory, bob, await joinOf(mallory, bob.opened().workspace.id, guess));
    },
  ],
  [
    "an invite in its own name",
    "unknown_device",
    async (_, bob, mallory) => forgedEntry(mallory, bob, await inviteEntry()),
  ],
  [
    "an invite in the owner's name",
    "bad_signature",
    async (alice, bob, mallory) => forgedEntry(mallory, bob, await inviteEntry(), inNameOf(alice)),
  ],
  [
    "a second device for a member, certified by itself",
    "bad_signature",
    async (alice, bob, mallory) =>
      forgedEntry(
        mallory,
        bob,
        { type: "device", device: deviceFields(mallory.peer.account) },
        { from: alice.peer.account.user },
      ),
  ],
  [
    "another seed and sealing key of a member's",
    "bad_signature",
    async (alice, bob, mallory) => {
      const { key } = await sealingPair(mallory.peer.ports, mallory.peer.account, bob.opened().workspace.id);
      const proof = toBase64url(systemRandom(64));
      const entry = { type: "seed" as const, number: 1, sealing: toBase64url(key), proof };
      return forgedEntry(mallory, bob, entry, inNameOf(alice));
    },
  ],
  [
    "a new epoch under a key that it knows",
    "bad_signature",
    async (alice, bob, mallory) => {
      const chain = bob.opened().workspace.chain();
      if (!chain) throw new Error("bob has the chain");
      const entry = await createKeyring(mallory.peer.ports, chain.workspace, alice.peer.account).newEpoch(
        chain,
      );
      return forgedEntry(mallory, bob, { ...entry, previous: "AAAA" }, inNameOf(alice));
    },
  ],
];

test.each(lies)("%s is refused as %s", async (_, code, forge) => {
  const { alice, bob, mallory } = await team();
  expect(await shownInstead(alice, bob, await forge(alice, bob, mallory))).toBe(code);
});

test("a changed membership entry halts the workspace, and it is told after a restart too", async () => {
  const { mesh, alice, bob } = await team();
  bob.toDevice = onPush(isChain, (record, frame) => [withRecord(frame, flipped(record, "signature"))]);
  await anInvite(alice);
  await bob.until(() => troubleOf(bob) === "bad_signature", "the distrust");
  await bob.stop();
  const again = await mesh.person("bob");
  await again.until(() => again.opened().workspace.link() === "online", "an honest broker");
  await again.send("alice", "all is well again");
  await alice.until(async () => (await alice.inbox()).length === 1, "bob's word");
  expect(await findings(again)).toEqual([expect.stringMatching(/refused: record \d+: bad_signature/)]);
});

/** Carol's join as alice is shown it, with another key in it: how alice calls that. */
async function joinShownWith(mesh: Mesh, alice: Member, change: object): Promise<string | null> {
  const carol = await mesh.person("carol");
  let shown = 0;
  alice.toDevice = onPush(isChain, (record, frame) => {
    const entry = decodeEntry(record.body);
    if (entry.type !== "join") return [frame];
    shown++;
    const body = encodeEntry({ ...entry, ...change });
    return [withRecord(frame, encodeRecord(record.headerBytes, record.signature, body))];
  });
  const sealed = sealedBy(alice);
  const { url } = await anInvite(alice);
  const joining = refusedWith(carol.handlers.invite.accept({ url }, CALLER, () => {}));
  await alice.until(() => shown > 0 && troubleOf(alice) !== null, "the distrust");
  expect(sealed).toEqual([]);
  const waiting = alice.opened().workspace.chain()?.members.get(carol.peer.account.user);
  expect(waiting).toBeUndefined();
  await carol.stop();
  await joining;
  return troubleOf(alice);
}

test("a newcomer's sealing key or root that was swapped on the way is given no key", async () => {
  const own = toBase64url(await nodeCurves.sealingPublicKey(systemRandom(32)));
  for (const [change, code] of [
    [{ sealing: own }, "bad_signature"],
    [{ root: own }, "wrong_author"],
  ] as const) {
    const { mesh, alice } = await team();
    expect(await joinShownWith(mesh, alice, change)).toBe(code);
  }
});

test("a joiner refuses a chain that begins with another genesis", async () => {
  const { mesh, alice } = await team();
  const other = await mesh.person("other");
  await mesh.team(other);
  const genesis = other.opened().workspace.replica.chain()[0]?.bytes ?? new Uint8Array(0);
  const dave = await mesh.person("dave");
  dave.toDevice = onPush(
    ({ header }) => header.head === null,
    (_, frame) => [withRecord(frame, genesis)],
  );
  const { url } = await anInvite(alice);
  expect(await refusedWith(dave.handlers.invite.accept({ url }, CALLER, () => {}))).toBe("chain_invalid");
  expect(dave.peer.opened()).toEqual([]);
});

test("a workspace key that isn't the one its entry committed to is no key", async () => {
  const { bob } = await team();
  const { peer } = bob;
  const chain = bob.opened().workspace.chain();
  if (!chain) throw new Error("bob has the chain");
  const honest = createKeyring(peer.ports, chain.workspace, peer.account);
  expect(await honest.learn(chain)).toBe(true);
  const swapped = createKeyring(peer.ports, chain.workspace, peer.account);
  const epochs = chain.epochs.map((epoch) => ({ ...epoch, commitment: new Uint8Array(32) }));
  expect(await swapped.learn({ ...chain, epochs })).toBe(false);
  expect(swapped.workspaceKey(0)).toBeNull();
});
