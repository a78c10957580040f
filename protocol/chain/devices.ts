/** A member's devices: they come with a certificate, and fall for good by their owner's root. */
import type { CertifiedDevice } from "../certificate.ts";
import { idOf } from "../derive.ts";
import { MeshError } from "../errors.ts";
import {
  type Case,
  type Entry,
  invalid,
  key32,
  notAllowed,
  nothingLeft,
  requireRecordSignature,
  requireRootSignature,
  signedByMember,
} from "./case.ts";
import { type Certified, certified, type Owner } from "./certificates.ts";
import { deviceRevokeInput } from "./proofs.ts";
import { activeMember, type ChainState, type Device, FOREVER, isIn, type Member } from "./state.ts";

/** A further device of somebody who is in already; it speaks for itself with its certificate. */
export async function admitDevice(at: Case, state: ChainState, entry: Entry<"device">): Promise<ChainState> {
  const member = activeMember(state, at.record.header.from);
  if (!member) throw notAllowed("only a member adds devices");
  const device = await ownDevice(at, member, entry.device);
  return { ...state, devices: withDevice(state, member.id, device, at.sequence) };
}

/** What the fallen had prepared falls too: who held one of them may have passed a link on, or offered the workspace. */
export async function admitDeviceRevoke(
  at: Case,
  state: ChainState,
  entry: Entry<"device-revoke">,
): Promise<ChainState> {
  const author = await signedByMember(at, state);
  await requireRootSignature(at, author.root, deviceRevokeInput(author.id, entry.devices), entry.proof);
  const revoked = fallenWith(state, author, entry.devices);
  if (revoked.size === author.revoked.size) throw nothingLeft("These devices are revoked already.");
  const devices = new Map(state.devices);
  for (const device of devices.values()) {
    if (device.member !== author.id || !revoked.has(device.id)) continue;
    devices.set(device.id, { ...device, revoked: true, spans: closed(device, at.sequence) });
  }
  const isTheirs = (by: string, dev: string) => by === author.id && revoked.has(dev);
  const invites = [...state.invites].map(
    ([code, invite]) => [code, isTheirs(invite.by, invite.dev) ? { ...invite, void: true } : invite] as const,
  );
  return {
    ...state,
    devices,
    members: new Map(state.members).set(author.id, { ...author, revoked }),
    invites: new Map(invites),
    offer: state.offer && isTheirs(state.owner, state.offer.dev) ? null : state.offer,
    stale: true,
  };
}

/** For genesis and join: user id, root, certificates, device id and signature must all hang together. */
export async function newcomerDevice(
  at: Case,
  root: Uint8Array,
  revoked: Owner["revoked"],
  device: CertifiedDevice,
): Promise<Certified> {
  const { from } = at.record.header;
  if (idOf(root) !== from) {
    throw new MeshError("wrong_author", "The user id is not the hash of the root key.", "Drop it.");
  }
  return ownDevice(at, { id: from, root, revoked }, device);
}

async function ownDevice(at: Case, owner: Owner, fields: CertifiedDevice): Promise<Certified> {
  if (idOf(key32(fields.key)) !== at.record.header.dev) {
    throw new MeshError("wrong_author", "The device id is not the hash of its key.", "Drop it.");
  }
  const device = await certified(at.curves, owner, fields);
  await requireRecordSignature(at, device.key);
  return device;
}

/** A device comes, or comes back after it left. What it said before stays its member's, so it never changes hands. */
export function withDevice(
  state: Pick<ChainState, "devices">,
  member: string,
  device: Certified,
  sequence: number,
): ReadonlyMap<string, Device> {
  const known = state.devices.get(device.id);
  if (known && known.member !== member) throw invalid("the device is another member's");
  if (isIn(known)) throw invalid("the device is in the workspace already");
  const spans = [...(known?.spans ?? []), { from: sequence, until: FOREVER }];
  return new Map(state.devices).set(device.id, { ...device, member, revoked: false, spans });
}

/** No device of the member's speaks any more, from this sequence on. */
export function silenced(state: ChainState, member: string, sequence: number): ReadonlyMap<string, Device> {
  const devices = new Map(state.devices);
  for (const device of devices.values()) {
    if (device.member === member) devices.set(device.id, { ...device, spans: closed(device, sequence) });
  }
  return devices;
}

/** With the revoked ones all that they had certified, and what those had. */
function fallenWith(state: ChainState, { id, revoked }: Member, devices: readonly string[]): Set<string> {
  const fallen = new Set([...revoked, ...devices]);
  const own = [...state.devices.values()].filter(({ member }) => member === id);
  for (let size = -1; size !== fallen.size; ) {
    size = fallen.size;
    for (const device of own) if (device.via.some((by) => fallen.has(by))) fallen.add(device.id);
  }
  return fallen;
}

function closed(device: Device, sequence: number) {
  return device.spans.map((span) => (span.until === FOREVER ? { ...span, until: sequence } : span));
}
