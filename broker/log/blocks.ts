/**
 * Whom a member's devices don't want to hear, as one of them has said. What a blocked member sends is stored and acknowledged as
 * always; it isn't pushed, nor is it told that they are there, and nothing that they are told differs.
 */
import type { Faces } from "#protocol/frames.ts";
import type { Header } from "#protocol/record.ts";
import type { WorkspaceLog } from "./log.ts";

/** Member → blocked member → the head at the time: what was sent before stays. */
export type Blocks = ReadonlyMap<string, ReadonlyMap<string, number>>;

type Blocking = Pick<WorkspaceLog, "blocks" | "chain">;

export function isBlocked({ blocks }: Blocking, member: string, other: string): boolean {
  return blocks.get(member)?.has(other) === true;
}

/**
 * Whether it is kept from the member's devices: said to the member alone, by whom they have blocked. Values aren't, such as the key
 * of a topic that both are in: without it what others say there couldn't be read.
 */
export function isHeldBack(
  { blocks, chain }: Blocking,
  member: string,
  { seq, header }: { seq: number; header: Header },
): boolean {
  const since = blocks.get(member)?.get(header.from);
  return (
    since !== undefined && seq > since && header.put === undefined && chain?.members.has(header.to) === true
  );
}

/** Without those whom the member has blocked. */
export function withoutBlocked(log: Blocking, member: string, frame: Faces): Faces {
  if (!log.blocks.has(member)) return frame;
  return { ...frame, faces: frame.faces.filter((face) => !isBlocked(log, member, face.member)) };
}
