/** The names that people use, from the indexes: of members, and of topics with their labels. */
import { MeshError } from "#protocol/errors.ts";
import { didYouMean } from "#protocol/nearest.ts";
import { forMembers } from "../membership/seal.ts";
import type { Workspace } from "../workspace.ts";

/** Member id → the name in this workspace. */
export function memberNames(workspace: Workspace): ReadonlyMap<string, string> {
  return workspace.names();
}

/** A topic, and what it is called in messages; people here may have to call it otherwise. */
export type TopicPlace = { label: string; name: string; isPrivate: boolean };

/** @throws MeshError unknown_topic with the nearest names, waiting_for_key */
export function findTopic(workspace: Workspace, name: string): TopicPlace {
  const hidden = privateTopics(workspace).get(name);
  if (hidden) return { label: hidden.label, name: hidden.name, isPrivate: true };
  if (!publicTopics(workspace).includes(name)) {
    const hint = didYouMean(name, topicNames(workspace), `Create it: claudemesh topic create ${name}`);
    throw new MeshError("unknown_topic", `There is no topic #${name}.`, hint);
  }
  const label = workspace.keyring.labelId("topic", name);
  if (!label) throw waitingForKey();
  return { label, name, isPrivate: false };
}

/** The label of a topic that exists. @throws MeshError unknown_topic, waiting_for_key */
export function topicLabel(workspace: Workspace, name: string): string {
  return findTopic(workspace, name).label;
}

export function topicNames(workspace: Workspace): string[] {
  return [...publicTopics(workspace), ...privateTopics(workspace).keys()].sort();
}

function publicTopics(workspace: Workspace): string[] {
  return workspace.replica.db
    .sql("SELECT DISTINCT name FROM topics ORDER BY name")
    .all()
    .map((row) => String(row.name));
}

/** By their names here: one whose name is taken gets "-2", "-3", in the order in which I came to know them. */
export function privateTopics(workspace: Workspace) {
  const taken = new Set(publicTopics(workspace));
  const named = new Map<string, ReturnType<Workspace["topics"]["rosters"]>[number]>();
  for (const roster of workspace.topics.rosters()) {
    let name = roster.name;
    for (let i = 2; taken.has(name); i++) name = `${roster.name}-${i}`;
    taken.add(name);
    named.set(name, roster);
  }
  return named;
}

/** What goes to everyone, and what everyone can find, is for those who hold the workspace's key. @throws MeshError not_allowed */
export function requireFullMember(workspace: Workspace): void {
  if (workspace.chain()?.members.get(workspace.me)?.role === "guest") throw forMembers();
}

export function waitingForKey(): MeshError {
  return new MeshError(
    "waiting_for_key",
    "No member has handed over the workspace's key yet.",
    "It comes as soon as one is online.",
  );
}
