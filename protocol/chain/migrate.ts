/** One identity goes over into another, with both roots' signatures: a person has a new account. */
import { idOf } from "../derive.ts";
import type { Role } from "../schema.ts";
import { type Case, type Entry, invalid, key32, requireRootSignature, signedByMember } from "./case.ts";
import { certified } from "./certificates.ts";
import { withDevice } from "./devices.ts";
import { migrateInput } from "./proofs.ts";
import { without } from "./roles.ts";
import { withSealing } from "./seeds.ts";
import { activeMember, type ChainState, isIn, type Member } from "./state.ts";

const RANK: Record<Role, number> = { guest: 0, member: 1, admin: 2, owner: 3 };

/** The old one's devices fall with it: the other identity speaks through devices of its own. */
export async function admitMigrate(
  at: Case,
  state: ChainState,
  entry: Entry<"migrate">,
): Promise<ChainState> {
  const old = await signedByMember(at, state);
  const root = key32(entry.root);
  const sealing = key32(entry.sealing);
  const { seed } = entry;
  const user = idOf(root);
  if (user === old.id) throw invalid("nobody goes over into themselves");
  const input = migrateInput(at.workspace, old.id, { user, seed, sealing });
  await requireRootSignature(at, old.root, input, entry.consent);
  await requireRootSignature(at, root, input, entry.proof);

  const known = state.members.get(user);
  const active = activeMember(state, user);
  if (active && seed !== active.seed) throw invalid("its seed isn't the one in force");
  const { joined, invitedBy, invite } = active ?? old;
  const heir: Member = {
    id: user,
    root,
    ...withSealing(known, seed, sealing),
    revoked: known?.revoked ?? new Set(),
    role: active && RANK[active.role] > RANK[old.role] ? active.role : old.role,
    joined,
    invitedBy,
    invite,
    active: true,
    became: null,
  };
  const device = await certified(at.curves, heir, entry.device);

  const left = without(state, old, at.sequence);
  const here = left.devices.get(device.id);
  const isHere = here?.member === user && isIn(here);
  return {
    ...left,
    members: inPlaceOf({ ...old, active: false, became: user }, heir, left.members, active !== undefined),
    devices: isHere ? left.devices : withDevice(left, user, device, at.sequence),
    invites: new Map(
      [...state.invites].map(
        ([code, one]) => [code, one.by === old.id ? { ...one, by: user } : one] as const,
      ),
    ),
    owner: state.owner === old.id ? user : state.owner,
    // Who owns the workspace now hasn't offered it to anybody.
    offer: state.owner === old.id ? null : left.offer,
  };
}

/** Right behind the old one; who was in already keeps the own place. */
function inPlaceOf(
  old: Member,
  heir: Member,
  members: ChainState["members"],
  keepsPlace: boolean,
): ReadonlyMap<string, Member> {
  if (keepsPlace) return new Map(members).set(old.id, old).set(heir.id, heir);
  const others = [...members].filter(([id]) => id !== heir.id);
  return new Map(
    others.flatMap(([id, one]) =>
      id === old.id
        ? [
            [id, old],
            [heir.id, heir],
          ]
        : [[id, one]],
    ),
  );
}
