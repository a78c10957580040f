/** What a file would be without claudemesh. */
import { type FileNow, isSame, textOf } from "./file-edit.ts";
import { digestOf, type Entry, type Kind, readBackup } from "./journal.ts";
import { parseObject } from "./json-text.ts";
import { withoutServer } from "./servers.ts";
import { withoutOurs } from "./settings.ts";
import { skillText } from "./skill.ts";

/**
 * Where the file still is as install left it: what was there before, byte for byte. Where somebody has changed it since: the
 * file as it is, but for our entries. Null: no file. @throws MeshError bad_data
 */
export function withoutUs(kind: Kind, now: FileNow, entry: Entry | undefined): Uint8Array | null {
  if (entry && isAsLeft(now, entry)) {
    const kept = readBackup(entry);
    if (kept || entry.before === null) return kept;
  }
  if (now.bytes === null) return null;
  if (kind === "skill") return !entry && isSame(now.bytes, Buffer.from(skillText())) ? null : now.bytes;
  const { text, mark } = textOf(now.bytes, now.path);
  const kept = entry ? readBackup(entry) : null;
  // Where nothing is known of what was before, an empty list may have been there.
  const before = kept || entry?.before === null ? textOf(kept, now.path).text : text;
  const made =
    kind === "settings"
      ? withoutOurs(text, entry?.rules ?? [], before, now.path)
      : withoutServer(text, before, now.path);
  if (made === text) return now.bytes;
  const isEmpty = Object.keys(parseObject(made, now.path)).length === 0;
  return isEmpty && entry?.before === null ? null : Buffer.from(mark + made);
}

export function isAsLeft({ bytes }: FileNow, { after }: Entry): boolean {
  return digestOf(bytes) === after;
}
