/** The names that people use, from the indexes: of members, and of topics with their labels. */
import { MeshError } from "#protocol/errors.ts";
import { didYouMean } from "#protocol/nearest.ts";
import type { Workspace } from "../workspace.ts";

/** Member id → the name in this workspace. */
export function memberNames(workspace: Workspace): ReadonlyMap<string, string> {
  return workspace.names();
}

/** The label of a topic that exists. @throws MeshError unknown_topic with the nearest names, waiting_for_key */
export function topicLabel(workspace: Workspace, name: string): string {
  const names = topicNames(workspace);
  if (!names.includes(name)) {
    const hint = didYouMean(name, names, `Create it: claudemesh topic create ${name}`);
    throw new MeshError("unknown_topic", `There is no topic #${name}.`, hint);
  }
  const label = workspace.keyring.labelId("topic", name);
  if (!label) throw waitingForKey();
  return label;
}

export function topicNames(workspace: Workspace): string[] {
  return workspace.replica.db
    .sql("SELECT DISTINCT name FROM topics ORDER BY name")
    .all()
    .map((row) => String(row.name));
}

export function waitingForKey(): MeshError {
  return new MeshError(
    "waiting_for_key",
    "No member has handed over the workspace's key yet.",
    "It comes as soon as one is online.",
  );
}
