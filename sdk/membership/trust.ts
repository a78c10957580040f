/**
 * Whether somebody is who they were. A user id is the hash of a root key, so nobody keeps the id with another key: what a person
 * would see is the same name in front of another id. So it is kept, for each workspace, whom a name stood for when I first spoke
 * with somebody of that name; in the account document, where my other machines find it.
 */
import { knownName } from "#protocol/account/document.ts";
import { type ChainState, heirOf } from "#protocol/chain/state.ts";
import { MeshError } from "#protocol/errors.ts";
import type { KeyChanged } from "#protocol/features/member.ts";
import { shortId } from "#protocol/ids.ts";
import type { Document } from "../account/document.ts";
import type { Context } from "../context.ts";

export type Standing = { verified: boolean; keyChanged: KeyChanged | null };

export type Trust = {
  of(member: string): Standing;
  /** @throws MeshError key_changed. What isn't a member's label is nobody's key. */
  requireKnown(label: string): void;
  /** We have spoken: from now on the name stands for this key, where it stood for none. */
  meet(member: string): void;
  /** By hand. */
  mark(member: string, as: "verified" | "accepted" | "unverified"): void;
};

/** Of all workspaces together: the account document has its limits, and a crowd of strangers must not reach them. */
const MOST_KNOWN = 500;

const UNTRIED: Standing = { verified: false, keyChanged: null };

/** What is known at one moment, with what it followed from. */
type View = {
  state: ChainState;
  names: ReadonlyMap<string, string>;
  revision: number;
  /** Name → whom it stands for. */
  known: ReadonlyMap<string, string>;
  isFull: boolean;
  standings: Map<string, Standing>;
};

export function createTrust(context: Context, document: Document): Trust {
  const { workspace, me, account } = context;
  let last: View | null = null;

  const view = (): View | null => {
    const { state } = context.chain.known;
    const names = context.names();
    const revision = document.revision();
    if (!state) return null;
    if (last?.state === state && last.names === names && last.revision === revision) return last;
    const everywhere = [...document.all("known").values()];
    const here = everywhere.filter((one) => one.workspace === workspace);
    const known = new Map(here.map(({ name, user }) => [name, user]));
    const isFull = everywhere.length >= MOST_KNOWN;
    last = { state, names, revision, known, isFull, standings: new Map() };
    return last;
  };

  const isMe = (state: ChainState, user: string) =>
    user === me || heirOf(state, user) === me || account.formerly.some((one) => one.user === user);

  const toldName = (user: string) =>
    context.replica.db.sql("SELECT name FROM member_names WHERE member = ?").get(user)?.name;

  /** Whose place it takes, and under which name I knew them. */
  const predecessor = ({ state, names, known }: View, user: string) => {
    if (isMe(state, user)) return undefined;
    const others = [...known].filter(([, one]) => one !== user && !isMe(state, one));
    const shown = names.get(user) ?? "";
    const holder = known.get(shown);
    // An identity that has become the one that I know is no news.
    if (holder === user || holder === heirOf(state, user)) return undefined;
    const namesake = others.find(([name]) => name === shown);
    if (namesake || document.get("trusted", user)) return namesake;
    const told = toldName(user);
    return others.find(([name, one]) => {
      const heir = heirOf(state, one);
      return heir === user || (name === told && cameAfter(state, user, heir));
    });
  };

  const judge = (seen: View, user: string): Standing => {
    const isVerified = (one: string) => document.get("trusted", one)?.verified === true;
    const before = predecessor(seen, user);
    if (!before) return { verified: isVerified(user), keyChanged: null };
    const [name, member] = before;
    // A key that was compared under another name isn't the one that this name stands for.
    return { verified: false, keyChanged: { member, name, verified: isVerified(member) } };
  };

  const of = (member: string): Standing => {
    const seen = view();
    if (!seen?.state.members.has(member)) return UNTRIED;
    const standing = seen.standings.get(member) ?? judge(seen, member);
    seen.standings.set(member, standing);
    return standing;
  };

  const know = (name: string, user: string) =>
    document.set("known", knownName(workspace, name), { workspace, name, user });

  return {
    of,
    requireKnown(label) {
      const { keyChanged } = of(label);
      if (keyChanged) throw changed(context.names().get(label) ?? label, keyChanged);
    },
    meet(member) {
      const seen = view();
      const name = seen?.names.get(member);
      // Who hasn't told a name yet goes by the end of the id.
      if (!seen || name === undefined || name === shortId(member).toLowerCase()) return;
      const holder = seen.known.get(name);
      if (isMe(seen.state, member) || (holder !== undefined && !isMe(seen.state, holder))) return;
      if (seen.isFull || of(member).keyChanged) return;
      know(name, member);
    },
    mark(member, as) {
      const name = context.names().get(member) ?? member;
      const wasVerified = document.get("trusted", member)?.verified === true;
      if (as !== "unverified") know(name, member);
      document.set(
        "trusted",
        member,
        as === "unverified" ? null : { verified: as === "verified" || wasVerified, name },
      );
    },
  };
}

/** Whether `user` joined when `gone` had left for good. */
function cameAfter({ members, devices }: ChainState, user: string, gone: string): boolean {
  const joined = members.get(user)?.joined ?? 0;
  if (members.get(gone)?.active !== false) return false;
  const spans = [...devices.values()].filter(({ member }) => member === gone).flatMap((one) => one.spans);
  return spans.every(({ until }) => until <= joined);
}

function changed(name: string, before: KeyChanged): MeshError {
  return new MeshError(
    "key_changed",
    `"${name}" has another key than the ${before.name} that you ${before.verified ? "verified" : "knew"}.`,
    `Compare: claudemesh peer verify ${name}; or take it as it is: claudemesh peer verify ${name} --accept`,
  );
}
