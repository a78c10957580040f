// A broker that greets with an older log, another chain, or says that it was restored. Hellos themselves, relayed or replayed,
// are refused by broker/gateway/hostile-device.test.ts; what a home broker may say of an account, by
// sdk/account/hostile-home.test.ts.
import { copyFileSync, rmSync } from "node:fs";
import { expect, test } from "vitest";
import type { HelloAck } from "#protocol/frames.ts";
import { recordHash } from "#protocol/record.ts";
import {
  encoded,
  findings,
  honest,
  isChain,
  onFrame,
  sealedBy,
  troubleOf,
  withheld,
} from "#test/lying-broker.ts";
import { CALLER, createMesh, type Member, type Mesh } from "#test/mesh.ts";

async function pair() {
  const mesh = await createMesh();
  const [alice, bob] = [await mesh.person("alice"), await mesh.person("bob")];
  await mesh.team(alice, bob);
  for (const member of [alice, bob]) {
    await member.until(() => member.opened().workspace.replica.outboxSize() === 0, "its outbox to be empty");
  }
  return { mesh, alice, bob };
}

/** `genesis`: the chain's first head, which was shown before. */
const lies: [string, string, (ack: HelloAck, genesis: string) => Partial<HelloAck>][] = [
  ["a log that ends before what it has shown", "rolled_back", () => ({ head: 1 })],
  [
    "a chain that ends before what it has shown",
    "rolled_back",
    (_, hash) => ({ chain: { height: 0, hash } }),
  ],
  ["no chain at all", "rolled_back", () => ({ chain: null })],
  ["another log, as if nothing had happened", "rolled_back", () => ({ logId: "A".repeat(22) })],
  [
    "another entry at the chain's head",
    "chain_forked",
    ({ chain }) => ({ chain: { height: chain?.height ?? 0, hash: "A".repeat(43) } }),
  ],
  [
    "another entry, in a log that was restored",
    "chain_forked",
    ({ chain }) => ({ chain: { height: chain?.height ?? 0, hash: "A".repeat(43) }, resume: "start" }),
  ],
];

test.each(lies)("a greeting with %s is refused as %s: nothing is sealed", async (_, code, change) => {
  const { alice, bob } = await pair();
  const genesis = recordHash(bob.opened().workspace.replica.chain()[0]?.bytes ?? new Uint8Array(0));
  bob.toDevice = onFrame("hello_ack", (ack) => [encoded({ ...ack, ...change(ack, genesis) })]);
  const sent = sealedBy(bob);
  bob.cut();
  await bob.until(() => troubleOf(bob) === code, "the distrust");
  await bob.send("alice", "kept here");
  expect(sent).toEqual([]);
  expect(await findings(bob)).toEqual([`refused: greeting: ${code}`]);
  bob.toDevice = honest;
  await alice.until(async () => (await alice.inbox()).length === 1, "bob's word, by an honest greeting");
  // Good behaviour afterwards doesn't hide it.
  expect(await findings(bob)).toEqual([`refused: greeting: ${code}`]);
});

async function backup(mesh: Mesh): Promise<() => Promise<void>> {
  await mesh.restartBroker((path) => copyFileSync(path, `${path}.backup`));
  return () =>
    mesh.restartBroker((path) => {
      for (const suffix of ["-wal", "-shm"]) rmSync(path + suffix, { force: true });
      copyFileSync(`${path}.backup`, path);
    });
}

const isRemoved = (member: Member, other: Member) =>
  member.opened().workspace.chain()?.members.get(other.peer.account.user)?.active === false;

test("a log that was restored, or is said to be, is told; it brings back nobody who was removed", async () => {
  const { mesh, alice, bob } = await pair();
  const restore = await backup(mesh);
  await alice.handlers.workspace.remove({ member: "bob" }, CALLER, () => {});
  await alice.until(() => isRemoved(alice, bob), "the removal");
  await restore();
  await alice.until(async () => (await findings(alice)).length > 0, "the finding");
  expect(await findings(alice)).toEqual([expect.stringMatching(/^restored: another log: /)]);
  // The removal is the first thing that the log gets back.
  await bob.until(() => troubleOf(bob) === "not_a_member" || isRemoved(bob, bob), "bob to be out again");
  expect(isRemoved(alice, bob)).toBe(true);
});

test("a log said to be restored, which takes the removal back and keeps it back, is sealed nothing under", async () => {
  const { mesh, alice, bob } = await pair();
  const carol = await mesh.person("carol");
  const { url } = await alice.handlers.invite.create({}, CALLER, () => {});
  await carol.handlers.invite.accept({ url }, CALLER, () => {});
  await bob.until(() => bob.opened().workspace.chain()?.members.size === 3, "carol at bob");
  const restore = await backup(mesh);
  await alice.handlers.workspace.remove({ member: "carol" }, CALLER, () => {});
  await bob.until(() => isRemoved(bob, carol), "the removal at bob");
  // Bob and alice bring it back; the broker takes it, says so, and shows it to nobody.
  bob.toDevice = withheld((record) => isChain(record) && (record.header.head?.height ?? 0) >= height);
  const height = (bob.opened().workspace.chain()?.head.height ?? 0) - 1;
  const sent = sealedBy(bob);
  await restore();
  await bob.until(() => bob.opened().workspace.link() === "online", "the restored broker");
  await bob.send("*", "kept here");
  await bob.until(async () => (await findings(bob)).length > 1, "what is missing to be told");
  expect(sent).toEqual([]);
  expect(await findings(bob)).toEqual([
    expect.stringMatching(/^restored: another log: /),
    expect.stringMatching(/^withheld: entries up to \d+, which are here/),
  ]);
});
