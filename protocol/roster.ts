/**
 * Who is in a private topic. Its rosters are values of one cell, each in the place of the one before; the broker keeps
 * them all and reads none. Everybody who is in judges them in their order: one that breaks the rules changes nothing.
 */
import { MeshError } from "./errors.ts";
import type { Header, Put } from "./record.ts";

export type Roster = {
  name: string;
  /** Who made the topic. */
  founder: string;
  /** In the order in which they came, with what they are called. */
  members: ReadonlyMap<string, string>;
  /** Of the topic's key. */
  generation: number;
  /** The workspace's when it was made: a newer one says that somebody may have left. */
  epoch: number;
  version: number;
  by: string;
};

/** What is to be judged: `put` and the rest as its record's header has it. */
export type RosterClaim = Pick<Header, "from" | "epoch"> & {
  put: Put;
  generation: number;
  name: string;
  members: ReadonlyMap<string, string>;
};

/** What the workspace's chain says as of the roster's place. */
export type RosterFacts = {
  /** Today's identity of somebody who has gone over into another. */
  heirOf(member: string): string;
  isIn(member: string): boolean;
  /** Owner or admin. */
  mayRemove(member: string): boolean;
};

/** The roster after the claim. @throws MeshError not_in_topic, not_allowed, rolled_back, bad_record */
export function admitRoster(before: Roster | null, claim: RosterClaim, facts: RosterFacts): Roster {
  const { put, generation, epoch, name, members, from: by } = claim;
  if (put.tombstone || put.ttl !== null) throw bad("a roster neither ends nor is deleted");
  const after = { name, members, generation, epoch, version: put.version, by };
  if (!before) {
    if (put.expect !== null || put.version !== 1 || generation !== 0) throw bad("it isn't the topic's first");
    if (!members.has(by)) throw bad("who makes a topic is in it");
    return { ...after, founder: by };
  }
  if (!isInRoster(before, by, facts)) throw notInTopic();
  if (put.version <= before.version || generation < before.generation) {
    throw new MeshError("rolled_back", "The topic's roster is older than the one before.", "Drop it.");
  }
  if (name !== before.name) throw bad("a topic keeps its name");
  const staying = new Set([...members.keys()].map(facts.heirOf));
  const out = [...before.members.keys()].filter((member) => !staying.has(facts.heirOf(member)));
  if (out.length > 0 && generation === before.generation) throw bad("who is out would keep the key");
  const isFree = facts.heirOf(by) === facts.heirOf(before.founder) || facts.mayRemove(by);
  const mayGo = (member: string) =>
    isFree || facts.heirOf(member) === facts.heirOf(by) || !facts.isIn(member);
  if (!out.every(mayGo)) {
    throw new MeshError(
      "not_allowed",
      "Only who made the topic, the workspace's owner and admins remove others from it.",
      "Ask one of them who is in it.",
    );
  }
  return { ...after, founder: before.founder };
}

/** Whether somebody, or who they have become, is in it. */
export function isInRoster(
  { members }: Roster,
  member: string,
  { heirOf }: Pick<RosterFacts, "heirOf">,
): boolean {
  return members.has(member) || [...members.keys()].some((one) => heirOf(one) === heirOf(member));
}

export function notInTopic(): MeshError {
  return new MeshError("not_in_topic", "The author isn't in the topic.", "Drop it.");
}

function bad(why: string): MeshError {
  return new MeshError(
    "bad_record",
    `The topic's roster can't be: ${why}.`,
    "Update claudemesh on both sides.",
  );
}
