/** The files that install writes by itself, as one step: all of them or none, and the journal with them. */
import { dirname } from "node:path";
import type { Change, Step } from "../step.ts";
import { changedLines } from "./diff.ts";
import {
  type FileEdit,
  fromDisk,
  isSame,
  missingFolders,
  removeFolders,
  textOf,
  writeAll,
} from "./file-edit.ts";
import { digestOf, type Entry, type Kind, keepBackup, readJournal, writeJournal } from "./journal.ts";

export type OwnedEdit = FileEdit & {
  kind: Kind;
  /** What uninstall is to bring back. */
  before: Uint8Array | null;
  rules: readonly string[];
  /** In words. */
  what: string;
};

export function installStep(edits: readonly OwnedEdit[]): Step {
  const changing = edits.filter(({ now, after }) => !isSame(now.bytes, after));
  return reversible(changing, (entries) => {
    const fresh = changing.map((edit) => entryOf(edit, entries));
    writeJournal([...entries.filter(({ path }) => !fresh.some((one) => one.path === path)), ...fresh]);
  });
}

export function uninstallStep(edits: readonly OwnedEdit[]): Step {
  return reversible(
    edits.filter(({ now, after }) => !isSame(now.bytes, after)),
    () => {},
  );
}

/** The last of uninstall's steps: nothing can be taken back any more. Folders that install made go, where they are empty. */
export function forgetStep(): Step {
  return {
    changes: [],
    apply() {
      removeFolders(readJournal().flatMap(({ folders }) => folders));
      writeJournal([]);
    },
    undo() {},
  };
}

/** @param record writes the journal, before anything else is written */
function reversible(edits: readonly OwnedEdit[], record: (entries: readonly Entry[]) => void): Step {
  let undo = () => {};
  return {
    changes: edits.map(changeOf),
    apply() {
      const previous = readJournal();
      try {
        record(previous);
        const undoFiles = writeAll(edits);
        undo = () => {
          undoFiles();
          writeJournal(previous);
        };
      } catch (error) {
        try {
          writeJournal(previous);
        } catch {
          // An entry of a file that is still as before does no harm.
        }
        throw fromDisk(error, "what install keeps of what was there");
      }
    },
    undo: () => undo(),
  };
}

function entryOf({ now, kind, before, after, rules }: OwnedEdit, entries: readonly Entry[]): Entry {
  const known = entries.find(({ path }) => path === now.path);
  return {
    path: now.path,
    kind,
    before: digestOf(before),
    after: digestOf(after),
    backup: keepBackup(before),
    rules,
    folders: [...(known?.folders ?? []), ...missingFolders(dirname(now.real))],
  };
}

function changeOf({ now, kind, after, what }: OwnedEdit): Change {
  const action = after === null ? "remove" : now.bytes === null ? "create" : "change";
  const text = (bytes: Uint8Array | null) => textOf(bytes, now.path).text;
  const diff = kind === "skill" || after === null ? [] : changedLines(text(now.bytes), text(after));
  return { path: now.path, action, what, diff };
}
