/** The checks that a line of a script may name; each says what is wrong, or null. */
import { at, differsFrom, isAsWritten, jsonDiffersFrom } from "./expect.ts";
import type { Room } from "./room.ts";
import { expandFile } from "./txtar.ts";

export type Check = (...words: string[]) => string | null;

export function checksIn(room: Room): Record<string, Check> {
  const matches = (text: string, regex: string, what: string) =>
    new RegExp(regex, "m").test(text) ? null : `${what} has no match for ${regex}`;
  return {
    exit: (code = "") => (room.ran().code === Number(code) ? null : `it ended with ${room.ran().code}`),
    stdout: (regex = "") => matches(room.ran().stdout, regex, "stdout"),
    stderr: (regex = "") => matches(room.ran().stderr, regex, "stderr"),
    line(job = "", regex = "") {
      const { stdout, stderr } = room.jobNamed(job).said();
      return matches(stdout + stderr, regex, job);
    },
    json(path = "", wanted) {
      const found = at(room.json(), path);
      if (wanted === undefined) return found === undefined ? `there is nothing at ${path}` : null;
      return isAsWritten(wanted, found) ? null : `${path} is ${JSON.stringify(found)}`;
    },
    cmp(what = "", file = "") {
      const wanted = expandFile(room.textOf(file), room.variables);
      return what === "json"
        ? jsonDiffersFrom(JSON.parse(wanted), room.json())
        : differsFrom(wanted, room.textOf(what));
    },
  };
}
