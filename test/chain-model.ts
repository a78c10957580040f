/**
 * A membership chain as one would explain it: names instead of keys, rules in plain words, no cryptography. Written
 * without a look at protocol/chain, so that the two can be held against each other.
 */
export const PEOPLE = ["alice", "bob", "carol", "dave", "eve", "ally", "bobby"] as const;
/** The laptop is certified by the root, the phone by the laptop, the tablet by the phone. */
export const DEVICES = ["laptop", "phone", "tablet"] as const;
export const CODES = ["InviteAA", "InviteBB", "InviteCC"] as const;

export type Name = (typeof PEOPLE)[number];
export type DeviceName = (typeof DEVICES)[number];
export type Code = (typeof CODES)[number];
export type ModelRole = "owner" | "admin" | "member" | "guest";

type ModelMember = { role: ModelRole; active: boolean; seed: number; became: Name | null };
type ModelInvite = {
  role: ModelRole;
  uses: number;
  used: number;
  void: boolean;
  by: Name;
  /** Whose device signed it, and which. */
  from: string;
};

export type Model = {
  owner: Name;
  members: Partial<Record<Name, ModelMember>>;
  /** "bob.phone" → whether it is in; absent while it never was. */
  devices: Record<string, boolean>;
  revoked: readonly string[];
  invites: Partial<Record<Code, ModelInvite>>;
  offer: { to: Name; from: string } | null;
  epoch: number;
  /** Who was handed the current key. */
  sealed: readonly Name[];
  stale: boolean;
};

/** What somebody does, by one of their devices. */
export type Move = { who: Name; dev: DeviceName } & (
  | { type: "device" | "leave" | "accept" }
  | { type: "device-revoke"; devices: readonly DeviceName[] }
  | { type: "seed"; number: number }
  | { type: "invite"; code: Code; role: Exclude<ModelRole, "owner">; uses: number }
  | { type: "revoke"; code: Code }
  | { type: "join"; code: Code; seed: number }
  | { type: "remove"; whom: Name }
  | { type: "role"; whom: Name; role: Exclude<ModelRole, "owner"> }
  | { type: "offer"; whom: Name | null }
  | { type: "migrate"; whom: Name; device: DeviceName; seed: number }
  | { type: "epoch"; isNew: boolean; number: number; to: readonly Name[] }
);

const RANK: Record<ModelRole, number> = { guest: 0, member: 1, admin: 2, owner: 3 };

export const deviceName = (who: Name, dev: DeviceName) => `${who}.${dev}`;

/** The device itself and those that its certificate rests on. */
const line = (who: Name, dev: DeviceName) =>
  DEVICES.slice(0, DEVICES.indexOf(dev) + 1).map((one) => deviceName(who, one));

export function speaks(model: Model, who: Name, dev: DeviceName): boolean {
  return model.members[who]?.active === true && model.devices[deviceName(who, dev)] === true;
}

/** Who has the key by right. */
export function holders(model: Model): Name[] {
  return PEOPLE.filter((who) => {
    const member = model.members[who];
    return member?.active === true && member.role !== "guest";
  });
}

export function waiting(model: Model): Name[] {
  return holders(model).filter((who) => !model.sealed.includes(who));
}

/** Whether the device may come in for its owner. */
function mayCome(model: Model, who: Name, dev: DeviceName): boolean {
  return !line(who, dev).some((one) => model.revoked.includes(one));
}

/** What falls when these do: whatever was ever here on their certificate. */
function falling(model: Model, who: Name, devices: readonly DeviceName[]): string[] {
  const listed = devices.map((dev) => deviceName(who, dev));
  const known = DEVICES.filter((dev) => deviceName(who, dev) in model.devices);
  const below = known.filter((dev) =>
    line(who, dev).some((one) => listed.includes(one) || model.revoked.includes(one)),
  );
  const all = [...listed, ...below.map((dev) => deviceName(who, dev))];
  return [...new Set(all)].filter((one) => !model.revoked.includes(one));
}

/** Whether the move is within its maker's rights, as things stand. */
export function isLegal(model: Model, move: Move): boolean {
  const { who, dev } = move;
  const me = model.members[who];
  // These two bring a device that isn't in yet; anything else is said by one that is.
  if (move.type === "device") {
    return me?.active === true && model.devices[deviceName(who, dev)] !== true && mayCome(model, who, dev);
  }
  if (move.type === "join") {
    const invite = model.invites[move.code];
    if (!invite || invite.void || invite.used >= invite.uses || me?.active) return false;
    return mayCome(model, who, dev) && move.seed >= (me?.seed ?? 0);
  }
  if (!me || !speaks(model, who, dev)) return false;
  const runs = me.role === "owner" || me.role === "admin";
  const mayTouch = (role: ModelRole) =>
    me.role === "owner" || (me.role === "admin" && RANK[role] < RANK.admin);
  const other =
    "whom" in move && move.whom !== null && move.whom !== who ? model.members[move.whom] : undefined;
  switch (move.type) {
    case "device-revoke":
      return falling(model, who, move.devices).length > 0;
    case "seed":
      return move.number > me.seed;
    case "invite":
      return runs && (move.role !== "admin" || me.role === "owner") && !(move.code in model.invites);
    case "revoke":
      return runs && model.invites[move.code]?.void === false;
    case "leave":
      return me.role !== "owner";
    case "remove":
      return other?.active === true && other.role !== "owner" && mayTouch(other.role);
    case "role":
      return (
        other?.active === true &&
        other.role !== "owner" &&
        other.role !== move.role &&
        mayTouch(other.role) &&
        mayTouch(move.role)
      );
    case "offer":
      if (me.role !== "owner" || move.whom === (model.offer?.to ?? null)) return false;
      return move.whom === null || (other?.active === true && other.role !== "guest");
    case "accept":
      return model.offer?.to === who && me.role !== "guest";
    case "migrate": {
      const heir = model.members[move.whom];
      if (move.whom === who || !mayCome(model, move.whom, move.device)) return false;
      return heir?.active ? move.seed === heir.seed : move.seed >= (heir?.seed ?? 0);
    }
    case "epoch": {
      if (me.role === "guest") return false;
      if (move.number === model.epoch + 1) return sameNames(move.to, holders(model));
      const left = waiting(model);
      return (
        move.number === model.epoch &&
        !model.stale &&
        move.to.length > 0 &&
        move.to.every((one) => left.includes(one))
      );
    }
  }
}

/** What a legal move makes of things. */
export function moved(model: Model, move: Move): Model {
  const { who, dev } = move;
  const me = model.members[who];
  const from = deviceName(who, dev);
  switch (move.type) {
    case "device":
      return { ...model, devices: { ...model.devices, [from]: true } };
    case "device-revoke": {
      const fallen = falling(model, who, move.devices);
      const devices = Object.entries(model.devices).map(([one, isIn]) => [
        one,
        isIn && !fallen.includes(one),
      ]);
      return {
        ...model,
        devices: Object.fromEntries(devices),
        revoked: [...model.revoked, ...fallen],
        invites: voided(model, (invite) => invite.by === who && fallen.includes(invite.from)),
        offer: model.offer && fallen.includes(model.offer.from) ? null : model.offer,
        stale: true,
      };
    }
    case "seed":
      return { ...withMember(model, who, { seed: move.number }), stale: true };
    case "invite": {
      const invite = { role: move.role, uses: move.uses, used: 0, void: false, by: who, from };
      return { ...model, invites: { ...model.invites, [move.code]: invite } };
    }
    case "revoke":
      return { ...model, invites: voided(model, (_, code) => code === move.code) };
    case "join": {
      const invite = model.invites[move.code];
      if (!invite) return model;
      const come = { role: invite.role, active: true, seed: move.seed, became: null };
      return {
        ...withMember(model, who, come),
        devices: { ...model.devices, [from]: true },
        invites: { ...model.invites, [move.code]: { ...invite, used: invite.used + 1 } },
      };
    }
    case "leave":
      return gone(model, who);
    case "remove":
      return { ...gone(model, move.whom), invites: voided(model, () => true) };
    case "role": {
      const before = model.members[move.whom];
      return {
        ...withMember(model, move.whom, { role: move.role }),
        invites: before?.role === "admin" ? voided(model, ({ by }) => by === move.whom) : model.invites,
        stale: model.stale || (before?.role !== "guest" && move.role === "guest"),
      };
    }
    case "offer":
      return { ...model, offer: move.whom === null ? null : { to: move.whom, from } };
    case "accept": {
      const former = withMember(model, model.owner, { role: "admin" });
      return { ...withMember(former, who, { role: "owner" }), owner: who, offer: null };
    }
    case "migrate": {
      if (!me) return model;
      const before = model.members[move.whom];
      const role = before?.active && RANK[before.role] > RANK[me.role] ? before.role : me.role;
      const left = withMember(gone(model, who), who, { became: move.whom });
      const invites = Object.entries(model.invites).map(([code, invite]) => [
        code,
        invite.by === who ? { ...invite, by: move.whom } : invite,
      ]);
      const isOwner = model.owner === who;
      return {
        ...withMember(left, move.whom, { role, active: true, seed: move.seed, became: null }),
        devices: { ...left.devices, [deviceName(move.whom, move.device)]: true },
        invites: Object.fromEntries(invites),
        owner: isOwner ? move.whom : model.owner,
        offer: isOwner ? null : left.offer,
      };
    }
    case "epoch":
      return move.number === model.epoch
        ? { ...model, sealed: [...model.sealed, ...move.to] }
        : { ...model, epoch: move.number, sealed: move.to, stale: false };
  }
}

function withMember(model: Model, who: Name, change: Partial<ModelMember>): Model {
  const fresh: ModelMember = { role: "guest", active: false, seed: 0, became: null };
  const member = { ...(model.members[who] ?? fresh), ...change };
  return { ...model, members: { ...model.members, [who]: member } };
}

function gone(model: Model, who: Name): Model {
  const devices = Object.entries(model.devices).map(([one, isIn]) => [
    one,
    isIn && !one.startsWith(`${who}.`),
  ]);
  return {
    ...withMember(model, who, { active: false }),
    devices: Object.fromEntries(devices),
    offer: model.offer?.to === who ? null : model.offer,
    stale: true,
  };
}

function voided(model: Model, which: (invite: ModelInvite, code: string) => boolean): Model["invites"] {
  const all = Object.entries(model.invites).map(([code, invite]) => [
    code,
    which(invite, code) ? { ...invite, void: true } : invite,
  ]);
  return Object.fromEntries(all);
}

function sameNames(a: readonly Name[], b: readonly Name[]): boolean {
  return a.length === b.length && a.every((one) => b.includes(one));
}
