/** The file of rules, read strictly: what is wrong is named with its place, and the word that was likely meant. */
import { isMap, isNode, LineCounter, type ParsedNode, parseDocument } from "yaml";
import type { z } from "zod";
import { MeshError } from "#protocol/errors.ts";
import { inboundRule, type Policy, policy, quietHours } from "#protocol/features/policy.ts";
import { didYouMean } from "#protocol/nearest.ts";

const NAME = "policy.yaml";

export const DEFAULTS: Policy = policy.parse({});

/** @throws MeshError bad_data with line and column */
export function parsePolicy(text: string): Policy {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const wrong = (offset: number, why: string, hint: string) => {
    const { line, col } = lines.linePos(offset);
    return new MeshError("bad_data", `${NAME}, line ${line}, column ${col}: ${why}`, hint);
  };
  const [broken] = document.errors;
  if (broken) throw wrong(broken.pos[0], `${broken.message}.`, "Mend it: claudemesh policy edit");
  const parsed = policy.safeParse(document.contents === null ? {} : rawOf(document, wrong));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  if (!issue) throw wrong(0, "it isn't right.", "");
  const node = nodeAt(document, issue.path);
  if (issue.code !== "unrecognized_keys") {
    const what = issue.path.filter((part) => typeof part === "string").join(".");
    const why = `${what === "" ? "" : `${what}: `}${issue.message}.`;
    throw wrong(node?.range[0] ?? 0, why, "`claudemesh policy show` has an example of each rule.");
  }
  const [key = ""] = issue.keys;
  const pair = isMap(node) ? node.items.find((one) => isNode(one.key) && String(one.key) === key) : null;
  const place = isNode(pair?.key) ? (pair.key.range?.[0] ?? 0) : 0;
  const known = keysAt(issue.path);
  throw wrong(place, `"${key}" isn't known here.`, didYouMean(key, known, `Known: ${known.join(", ")}.`));
}

function rawOf(
  document: ReturnType<typeof parseDocument>,
  wrong: (offset: number, why: string, hint: string) => MeshError,
): unknown {
  try {
    return document.toJS();
  } catch (error) {
    // An alias to nothing, or one that stands for too much.
    throw wrong(0, `${error instanceof Error ? error.message : error}.`, "Write it without aliases.");
  }
}

/** The innermost one on that path that the file has. */
function nodeAt(document: ReturnType<typeof parseDocument>, path: readonly PropertyKey[]): ParsedNode | null {
  for (let length = path.length; length >= 0; length--) {
    const found = document.getIn(path.slice(0, length), true);
    // The document was parsed, so its nodes are.
    if (isNode(found)) return found as ParsedNode;
  }
  return null;
}

function keysAt([first]: readonly PropertyKey[]): string[] {
  const shapes: Record<string, z.ZodObject> = { inbound: inboundRule, quiet: quietHours };
  return Object.keys((shapes[String(first)] ?? policy).shape);
}
