/** From an address as people write it to the label that carries it. */
import { MeshError } from "#protocol/errors.ts";
import { EVERYONE } from "#protocol/ids.ts";
import { didYouMean } from "#protocol/nearest.ts";
import { groupNames } from "../features/group.ts";
import { forwardedName, sessionById, sessionNames } from "../features/session.ts";
import type { Opened, Peer } from "../peer.ts";
import { PERSONAL } from "../which-workspace.ts";
import type { Workspace } from "../workspace.ts";
import { findTopic, memberNames, requireFullMember, topicNames, waitingForKey } from "./names.ts";

export type Address = {
  label: string;
  /** The address made whole: names instead of ids. */
  to: string;
  /** One session's name, or `*` for all of the member's. */
  toSession: string | null;
  topic: string | null;
  group: string | null;
};

/** @throws MeshError unknown_address, unknown_topic, with the nearest names */
export function resolveAddress(peer: Peer, workspace: Workspace, text: string): Address {
  if (text === EVERYONE || text.startsWith("@")) requireFullMember(workspace);
  if (text === EVERYONE) return { label: EVERYONE, to: EVERYONE, toSession: null, topic: null, group: null };
  if (text.startsWith("#")) return topicAddress(workspace, text.slice(1));
  if (text.startsWith("@")) return groupAddress(workspace, text.slice(1));
  const [who = "", ...rest] = text.split("/");
  const session = rest.join("/");
  const names = memberNames(workspace);
  const member = who === "me" ? workspace.me : findMember(workspace, names, who);
  if (!member) {
    const known = [...activeNames(workspace, names), ...topicNames(workspace).map((name) => `#${name}`)];
    throw unknown(`Nobody here is called "${who}".`, didYouMean(who, known, "See `claudemesh peers`."));
  }
  const name = who === "me" ? "me" : (names.get(member) ?? who);
  if (session === "") return { label: member, to: name, toSession: null, topic: null, group: null };
  if (session === "*") return { label: member, to: `${name}/*`, toSession: "*", topic: null, group: null };
  const known = namesOf(peer, workspace, member);
  if (!known.has(session)) {
    const nearest = [...known].map((one) => `${name}/${one}`);
    throw unknown(
      `${name} has no session "${session}".`,
      didYouMean(text, nearest, `Write to \`${name}\`, or see \`claudemesh peers\`.`),
    );
  }
  const current = forwardedName(workspace, member, session);
  return { label: member, to: `${name}/${current}`, toSession: current, topic: null, group: null };
}

/** Every workspace that is read and knows the address, the one in use first. @throws what the first says where none does */
export function resolveIn(
  peer: Peer,
  selector: string | undefined,
  text: string,
): { opened: Opened; address: Address }[] {
  const rank = ({ used, slug }: Opened) => (used ? 0 : slug === PERSONAL ? 2 : 1);
  const among = peer.readable(selector).toSorted((a, b) => rank(a) - rank(b));
  const failures: unknown[] = [];
  const found = among.flatMap((opened) => {
    try {
      return [{ opened, address: resolveAddress(peer, opened.workspace, text) }];
    } catch (error) {
      failures.push(error);
      return [];
    }
  });
  if (found.length === 0) throw failures[0];
  return found;
}

/** Where the name stands for somebody: the workspace in use first, then those that others are in. */
export function findPeer(
  peer: Peer,
  selector: string | undefined,
  text: string,
): { opened: Opened; id: string } {
  const [who = ""] = text.split("/");
  const found = resolveIn(peer, selector, who);
  const [first] = found;
  if (!first || first.address.topic !== null || first.address.label === EVERYONE)
    throw new MeshError("unknown_address", `"${who}" is nobody's name.`, "See `claudemesh peers`.");
  const { opened, address } = first;
  if (!opened.used && found.some((one) => one.address.label !== address.label))
    throw new MeshError(
      "ambiguous",
      `Several workspaces have somebody called "${who}".`,
      `Add --workspace: ${found.map((one) => one.opened.slug).join(", ")}.`,
    );
  return { opened, id: address.label };
}

/** By the client's own session id, ours or a colleague's. @throws MeshError unknown_address */
export function resolveSession(peer: Peer, workspace: Workspace, id: string): Address {
  const own = peer.sessions().find((session) => session.id === id);
  if (own)
    return { label: workspace.me, to: `me/${own.name}`, toSession: own.name, topic: null, group: null };
  const found = sessionById(workspace, id);
  if (found) {
    const { member, name } = found;
    const to = `${memberNames(workspace).get(member)}/${name}`;
    return { label: member, to, toSession: name, topic: null, group: null };
  }
  throw unknown(`No session here has the id ${id}.`, "See `claudemesh peers --json`.");
}

/** Those who follow the group's label; whoever writes needn't. */
function groupAddress(workspace: Workspace, name: string): Address {
  const known = groupNames(workspace);
  if (!known.includes(name)) {
    const nearest = didYouMean(
      `@${name}`,
      known.map((one) => `@${one}`),
      "See `claudemesh group list`.",
    );
    throw unknown(`Nobody is in a group @${name}.`, nearest);
  }
  const label = workspace.keyring.labelId("group", name);
  if (!label) throw waitingForKey();
  return { label, to: `@${name}`, toSession: null, topic: null, group: name };
}

function topicAddress(workspace: Workspace, name: string): Address {
  const topic = findTopic(workspace, name);
  return { label: topic.label, to: `#${topic.name}`, toSession: null, topic: topic.name, group: null };
}

function findMember(workspace: Workspace, names: ReadonlyMap<string, string>, who: string): string | null {
  const members = workspace.chain()?.members;
  for (const [id, name] of names) if ((name === who || id === who) && members?.get(id)?.active) return id;
  return null;
}

function activeNames(workspace: Workspace, names: ReadonlyMap<string, string>): string[] {
  const members = workspace.chain()?.members;
  return [...names].filter(([id]) => members?.get(id)?.active).map(([, name]) => name);
}

/** The claimed names; of my own also those that no broker has placed yet. */
export function namesOf(peer: Peer, workspace: Workspace, member: string): Set<string> {
  const own = member === workspace.me ? peer.knownSessionNames() : [];
  return new Set([...sessionNames(workspace, member), ...own]);
}

function unknown(message: string, hint: string): MeshError {
  return new MeshError("unknown_address", message, hint);
}
