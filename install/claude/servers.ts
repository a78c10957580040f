/** Our entry in the list of MCP servers that Claude Code keeps for the user. */

import { basename } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { MeshError } from "#protocol/errors.ts";
import {
  isObject,
  isStrict,
  type Json,
  type JsonObject,
  parseObject,
  put,
  remove,
  valueAt,
} from "./json-text.ts";

export const SERVER = "claudemesh";
export const ARGUMENTS = ["mcp-serve"];

const LIST = ["mcpServers"];
export const ENTRY = [...LIST, SERVER];

/** As the client itself writes it. */
export function serverEntry(launcher: string): JsonObject {
  return { type: "stdio", command: launcher, args: ARGUMENTS, env: {} };
}

/** "ours" starts another launcher than this one, so it has to go first. @throws MeshError bad_data, conflict for another's entry */
export function serverIn(text: string, launcher: string, name: string): "none" | "current" | "ours" {
  const list = parseObject(text, name).mcpServers;
  if (!isStrict(text))
    throw new MeshError(
      "bad_data",
      `Claude Code can't read ${name}: it has comments or commas too many.`,
      "Take them out, and try again.",
    );
  if (list !== undefined && !isObject(list))
    throw new MeshError("bad_data", `In ${name}, mcpServers is no object.`, "Mend it, and try again.");
  const there = valueAt(list, [SERVER]);
  if (there === undefined) return "none";
  if (isOurs(there)) return valueAt(there, ["command"]) === launcher ? "current" : "ours";
  throw new MeshError(
    "conflict",
    `Another MCP server is called ${SERVER} in ${name}.`,
    `Take it out (claude mcp remove --scope user ${SERVER}), or leave ours out with --no-mcp.`,
  );
}

export function withServer(text: string, launcher: string): string {
  return put(text, ENTRY, serverEntry(launcher));
}

/** `before`: of what was there, the list stays, empty or not. */
export function withoutServer(text: string, before: string, name: string): string {
  if (!isOurs(valueAt(parseObject(text, name), ENTRY))) return text;
  const made = remove(text, ENTRY);
  const list = valueAt(parseObject(made, name), LIST);
  const isEmpty = isObject(list) && Object.keys(list).length === 0;
  return isEmpty && parseObject(before, name).mcpServers === undefined ? remove(made, LIST) : made;
}

export function hasOurServer(text: string, name: string): boolean {
  return isOurs(valueAt(parseObject(text, name), ENTRY));
}

function isOurs(entry: Json | undefined): boolean {
  const command = valueAt(entry, ["command"]);
  return (
    typeof command === "string" &&
    basename(command) === "claudemesh" &&
    isDeepStrictEqual(valueAt(entry, ["args"]), ARGUMENTS)
  );
}
