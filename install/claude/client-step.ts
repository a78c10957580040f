/** The MCP entry through the client: it keeps the list, and may be writing to the file just now. */
import { dirname } from "node:path";
import { MeshError } from "#protocol/errors.ts";
import type { Step } from "../step.ts";
import { withoutUs } from "./before.ts";
import type { Client } from "./client.ts";
import { type FileNow, isSame, lookAt, missingFolders, textOf, writeAll } from "./file-edit.ts";
import { type Digest, digestOf, type Entry, keepBackup, readJournal, writeJournal } from "./journal.ts";
import { parseObject, put, valueAt } from "./json-text.ts";
import { ENTRY, hasOurServer, serverIn, withoutServer } from "./servers.ts";

export function addStep(client: Client, path: string, launcher: string): Step {
  let undo = () => {};
  const action = lookAt(path).bytes === null ? "create" : "change";
  return {
    changes: [{ path, action, what: "the MCP server, by `claude mcp add --scope user`", diff: [] }],
    async apply() {
      const original = lookAt(path);
      const previous = readJournal();
      const known = previous.find((one) => one.path === path);
      const others = previous.filter((one) => one !== known);
      const before = withoutUs("servers", original, known);
      const entry: Entry = {
        path,
        kind: "servers",
        before: digestOf(before),
        after: digestOf(original.bytes),
        backup: keepBackup(before),
        rules: [],
        folders: [...(known?.folders ?? []), ...missingFolders(dirname(path))],
      };
      writeJournal([...others, entry]);
      const takeBack = (left: Digest) => {
        restore(original, left);
        writeJournal(previous);
      };
      try {
        if (stateOf(original, launcher) === "ours") await client.remove();
        await client.add(launcher);
        if (stateOf(lookAt(path), launcher) !== "current") throw notThere(path);
      } catch (error) {
        takeBack(null);
        throw error;
      }
      const after = digestOf(lookAt(path).bytes);
      writeJournal([...others, { ...entry, after }]);
      undo = () => takeBack(after);
    },
    undo: () => undo(),
  };
}

/** Where the client fails or has gone, we take it out ourselves: what can't be taken out would stay for ever. */
export function removeStep(client: Client, path: string): Step {
  let undo = () => {};
  return {
    changes: [
      { path, action: "change", what: "the MCP server, by `claude mcp remove --scope user`", diff: [] },
    ],
    async apply() {
      const original = lookAt(path);
      const entry = readJournal().find((one) => one.path === path);
      await client.remove().catch(() => {});
      const now = lookAt(path);
      const without = withoutUs("servers", now, entry);
      if (!isSame(without, now.bytes)) writeAll([{ now, after: without }]);
      const left = digestOf(without);
      undo = () => restore(original, left);
    },
    undo: () => undo(),
  };
}

/** All of it where the file is as it was `left`, or can't be read any more; else our entry alone. */
function restore(original: FileNow, left: Digest): void {
  const now = lookAt(original.path);
  if (isSame(now.bytes, original.bytes)) return;
  const after = digestOf(now.bytes) === left ? original.bytes : withEntryOf(original, now);
  if (!isSame(after, now.bytes)) writeAll([{ now, after }]);
}

function withEntryOf(original: FileNow, now: FileNow): Uint8Array | null {
  if (now.bytes === null) return original.bytes;
  const then = textOf(original.bytes, original.path).text;
  try {
    const { text, mark } = textOf(now.bytes, now.path);
    const entry = valueAt(parseObject(then, now.path), ENTRY);
    const made = entry === undefined ? withoutServer(text, then, now.path) : put(text, ENTRY, entry);
    return made === text ? now.bytes : Buffer.from(mark + made);
  } catch {
    return original.bytes;
  }
}

function stateOf({ bytes, path }: FileNow, launcher: string): ReturnType<typeof serverIn> {
  return serverIn(textOf(bytes, path).text, launcher, path);
}

export function holdsOurServer({ bytes, path }: FileNow): boolean {
  return hasOurServer(textOf(bytes, path).text, path);
}

function notThere(path: string): MeshError {
  return new MeshError(
    "refused",
    `\`claude mcp add\` ended well, and the server isn't in ${path}.`,
    "Is another claude first on PATH? Or leave the server out with --no-mcp.",
  );
}
