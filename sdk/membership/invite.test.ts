// What a device keeps of an invite, and what an unattended one brings along.
import { expect, test } from "vitest";
import { activeMember, awaitingKey, currentEpoch } from "#protocol/chain/state.ts";
import { decodeInviteLink } from "#protocol/invite-link.ts";
import { CALLER, createMesh, type Member, refusedWith } from "#test/mesh.ts";

const create = (member: Member, options: { unattended?: true; role?: "guest"; uses?: number } = {}) =>
  member.handlers.invite.create(options, CALLER, () => {});
const accept = (member: Member, url: string) => member.handlers.invite.accept({ url }, CALLER, () => {});
const hasKey = (member: Member, epoch = 0) => member.opened().workspace.keyring.workspaceKey(epoch) !== null;

test("who joins by an unattended invite has the key with nobody online, and keeps it over a restart", async () => {
  const mesh = await createMesh();
  const alice = await mesh.person("alice");
  await mesh.team(alice);
  await alice.send("*", "said before");
  await alice.until(() => alice.opened().workspace.replica.outboxSize() === 0, "what was said to be stored");
  const { url, code } = await create(alice, { unattended: true });
  await alice.stop();

  const bob = await mesh.person("bob");
  expect((await accept(bob, url)).waiting).toBe(false);
  await bob.until(async () => (await bob.inbox()).length === 1, "what was said before");
  const chain = bob.opened().workspace.chain();
  expect(chain && currentEpoch(chain)?.sealed.get(bob.peer.account.user)?.by).toBe(bob.peer.account.user);
  expect(bob.peer.ports.keychain.get(`invite-${code}`)).toBe(null);

  await bob.stop();
  const again = await mesh.person("bob");
  await again.until(() => hasKey(again), "the key after a restart");
});

test("where somebody left since, who joins begins the next epoch", async () => {
  const mesh = await createMesh();
  const [alice, carol] = [await mesh.person("alice"), await mesh.person("carol")];
  await mesh.team(alice, carol);
  const { url } = await create(alice, { unattended: true });
  await alice.stop();
  await carol.handlers.workspace.leave({ workspace: "acme" }, CALLER, () => {});

  const bob = await mesh.person("bob");
  await accept(bob, url);
  await bob.until(() => hasKey(bob, 1) && hasKey(bob, 0), "both epochs' keys");
});

test("where the epoch has moved on, who joins asks for the key as usual", async () => {
  const mesh = await createMesh();
  const alice = await mesh.person("alice");
  await mesh.team(alice);
  const { url } = await create(alice, { unattended: true });
  await alice.handlers.workspace.rotate({}, CALLER, () => {});
  await alice.stop();

  const bob = await mesh.person("bob");
  expect((await accept(bob, url)).waiting).toBe(true);
  const chain = bob.opened().workspace.chain();
  expect(chain && awaitingKey(chain).map(({ id }) => id)).toEqual([bob.peer.account.user]);

  const back = await mesh.person("alice");
  await bob.until(() => hasKey(bob, 1), "the key from alice");
  await back.stop();
});

test("an unattended invite is neither for a guest nor for several", async () => {
  const mesh = await createMesh();
  const alice = await mesh.person("alice");
  await mesh.team(alice);
  expect(await refusedWith(create(alice, { unattended: true, role: "guest" }))).toBe("usage");
  expect(await refusedWith(create(alice, { unattended: true, uses: 2 }))).toBe("usage");
});

test("a join that a crash cut short goes on after a restart, its secret in the keychain until it is done", async () => {
  const mesh = await createMesh();
  const [alice, bob] = [await mesh.person("alice"), await mesh.person("bob")];
  await mesh.team(alice);
  const { url, code } = await create(alice);
  // Nothing comes back, as if the process had ended right after the request.
  bob.toDevice = () => [];
  const joining = bob.handlers.invite.accept({ url, waitMs: 200 }, CALLER, () => {});
  expect(await refusedWith(joining)).toBe("timeout");
  const kept = bob.peer.ports.keychain.get(`invite-${code}`);
  expect(kept?.subarray(0, 16)).toEqual(decodeInviteLink(url).secret);
  await bob.stop();

  const again = await mesh.person("bob");
  const isForgotten = () => again.peer.ports.keychain.get(`invite-${code}`) === null;
  await again.until(() => hasKey(again) && isForgotten(), "the join to go on");
  const chain = again.opened().workspace.chain();
  expect(chain && activeMember(chain, again.peer.account.user)?.invite).toBe(code);
});

test("a join that was refused leaves no secret behind", async () => {
  const mesh = await createMesh();
  const [alice, bob] = [await mesh.person("alice"), await mesh.person("bob")];
  await mesh.team(alice);
  const { url, code } = await create(alice);
  await alice.handlers.invite.revoke({ code }, CALLER, () => {});
  expect(await refusedWith(accept(bob, url))).toBe("invite_revoked");
  expect(bob.peer.ports.keychain.get(`invite-${code}`)).toBe(null);
  expect(bob.peer.opened()).toEqual([]);
});
