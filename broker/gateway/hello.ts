/** Judges a hello: is this device who it says, for this broker, now, and what may it do here? */
import { fromBase64url } from "#protocol/bytes.ts";
import { certified, deviceRevoked } from "#protocol/chain/certificates.ts";
import { activeMember, isInAt } from "#protocol/chain/state.ts";
import { idOf } from "#protocol/derive.ts";
import { MeshError } from "#protocol/errors.ts";
import { type Hello, type HelloAck, helloInput } from "#protocol/frames.ts";
import { PROTOCOL_VERSION } from "#protocol/version.ts";
import type { Standing } from "../log/judge.ts";
import type { WorkspaceLog } from "../log/log.ts";
import type { BrokerConfig, BrokerPorts } from "../ports.ts";

export type Admitted = { member: string; dev: string; standing: Standing };

/** Where the pushes to a connection begin, and what that means for its replica. */
export type Beginning = Pick<HelloAck, "resume"> & { cursor: number };

/** @throws MeshError version_skew, wrong_author, bad_signature, not_a_member, device_revoked, not_registered, invite_… */
export async function judgeHello(
  ports: BrokerPorts,
  config: BrokerConfig,
  nonce: string,
  hello: Hello,
  log: WorkspaceLog,
): Promise<Admitted> {
  if (hello.protocol !== PROTOCOL_VERSION) {
    throw new MeshError(
      "version_skew",
      `This broker speaks protocol ${PROTOCOL_VERSION}.`,
      "Update the older side.",
    );
  }
  if (!config.origins.has(hello.origin)) {
    throw new MeshError(
      "wrong_author",
      "The hello is meant for another broker.",
      "Use the address that this broker is known by.",
    );
  }
  const { signature, invite, certificate, type: _, ...claims } = hello;
  const key = fromBase64url(hello.key);
  const input = helloInput(nonce, claims);
  if (!(await ports.curves.verify(key, input, fromBase64url(signature)))) {
    throw new MeshError(
      "bad_signature",
      "The hello's signature doesn't hold for this challenge.",
      "Connect again.",
    );
  }
  const { member } = hello;
  const dev = idOf(key);
  const needsAccount = async () => {
    if (config.registeredOnly) await requireAccount(ports, hello.origin, member, dev);
  };
  if (!log.chain) {
    await needsAccount();
    return { member, dev, standing: "founding" };
  }
  const device = log.chain.devices.get(dev);
  if (device?.member === member) {
    if (isInAt(device, log.head + 1)) return { member, dev, standing: "member" };
    if (device.revoked) throw deviceRevoked();
  }
  const owner = activeMember(log.chain, member);
  if (owner && certificate) {
    await certified(ports.curves, owner, { key: hello.key, ...certificate });
    return { member, dev, standing: "joining" };
  }
  if (!invite)
    throw new MeshError("not_a_member", "This device isn't in the workspace.", "Ask for an invite link.");
  await requireInvite(ports, log, invite, input);
  await needsAccount();
  return { member, dev, standing: "joining" };
}

/**
 * A cursor counts on the log that it belongs to. A log restored from a backup may bear the same id and go on with other
 * records: then its head lies below the cursor, or another record stands where the device remembers one.
 */
export async function beginningOf(
  { store }: BrokerPorts,
  hello: Hello,
  log: WorkspaceLog,
): Promise<Beginning> {
  const { logId, cursor, last } = hello;
  const start = { resume: "start", cursor: 0 } as const;
  if (logId !== log.logId || cursor > log.head) return start;
  const found = last && (await store.idAt(log.id, last.seq));
  if (found && found !== last.id) return start;
  return cursor < log.floor ? { resume: "snapshot", cursor: 0 } : { resume: "cursor", cursor };
}

/** The device has to be in, too: whose id it names anybody could say. */
async function requireAccount(
  { accounts }: BrokerPorts,
  origin: string,
  member: string,
  dev: string,
): Promise<void> {
  const device = await accounts.device(member, dev);
  if (device && !device.revoked) return;
  throw new MeshError(
    "not_registered",
    "This broker is for those who have an account here.",
    `Run \`claudemesh login --broker ${origin} --register\`.`,
  );
}

async function requireInvite(
  ports: BrokerPorts,
  log: WorkspaceLog,
  proof: NonNullable<Hello["invite"]>,
  input: Uint8Array,
): Promise<void> {
  const invite = log.chain?.invites.get(proof.code);
  const next = "Ask for a new invite link.";
  if (!invite) throw new MeshError("invite_not_found", "There is no such invite.", next);
  if (!(await ports.curves.verify(invite.key, input, fromBase64url(proof.signature)))) {
    throw new MeshError("invite_bad_signature", "The link's secret doesn't fit the invite.", next);
  }
  if (invite.void) throw new MeshError("invite_revoked", "This invite has been revoked.", next);
  if (invite.expiresAt <= ports.clock.now())
    throw new MeshError("invite_expired", "This invite has expired.", next);
  if (invite.used >= invite.uses)
    throw new MeshError("invite_exhausted", "This invite has been used up.", next);
}
