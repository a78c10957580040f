import { describe, expect, test } from "vitest";
import { nodeCurves } from "#adapters/curves.ts";
import { fixedBytes, person, sealingKeys } from "#test/person.ts";
import { toBase64url } from "./bytes.ts";
import * as derive from "./derive.ts";
import { NAME_PATTERN } from "./ids.ts";

const key = fixedBytes("key");
const id = (name: string) => toBase64url(fixedBytes(name, 16));
const workspace = id("workspace");
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

test("no two purposes give one key, even from one secret", () => {
  const keys = [
    derive.memberSealingSecret(key, id("user"), workspace, 0),
    derive.labelsKey(key),
    derive.labelContentKey(key, "*"),
    derive.labelContentKey(key, id("topic")),
    derive.recordKey(key, workspace, fixedBytes("header")),
    derive.epochCommitment(key, workspace, 0),
    derive.epochWrapKey(key, workspace, 0),
    derive.previousWrapKey(key, workspace, 0),
    derive.presenceKey(key, id("device"), 1),
    derive.inviteSeed(key),
  ].map(hex);
  expect(new Set(keys).size).toBe(keys.length);
});

describe("a derived key is another for another", () => {
  test.each([
    ["user", derive.memberSealingSecret(key, id("other"), workspace, 1)],
    ["workspace", derive.memberSealingSecret(key, id("user"), id("other"), 1)],
    ["seed number", derive.memberSealingSecret(key, id("user"), workspace, 2)],
    ["seed", derive.memberSealingSecret(fixedBytes("other"), id("user"), workspace, 1)],
  ])("%s", (_, other) => {
    expect(hex(other)).not.toBe(hex(derive.memberSealingSecret(key, id("user"), workspace, 1)));
  });

  test("counter of presence, beyond 32 bits too", () => {
    const counters = [1, 2, 2 ** 32 + 1, 2 ** 33 + 1];
    const keys = counters.map((counter) => hex(derive.presenceKey(key, id("device"), counter)));
    expect(new Set(keys).size).toBe(counters.length);
  });

  test("header of a record, by a single bit", () => {
    const header = fixedBytes("header", 200);
    const changed = new Uint8Array(header);
    changed[199] = (changed[199] ?? 0) ^ 1;
    expect(hex(derive.recordKey(key, workspace, changed))).not.toBe(
      hex(derive.recordKey(key, workspace, header)),
    );
  });
});

test("two members share one pair key, from either side", async () => {
  const [alice, bob] = await Promise.all([person("alice"), person("bob")]);
  const [mine, theirs] = await Promise.all([sealingKeys(alice, workspace), sealingKeys(bob, workspace)]);
  expect(await derive.pairKey(nodeCurves, mine.secret, theirs.publicKey)).toEqual(
    await derive.pairKey(nodeCurves, theirs.secret, mine.publicKey),
  );
});

describe("a name's nearest legal form", () => {
  test.each([
    ["Alice", "alice"],
    ["Alice Müller", "alice-m-ller"],
    ["../etc/passwd", "etc-passwd"],
    ["a".repeat(40), "a".repeat(32)],
    [`${"a".repeat(31)}-b`, "a".repeat(31)],
    ["--x--", "x"],
    ["日本", ""],
    ["", ""],
  ])("of %j is %j", (text, legal) => {
    expect(derive.legalName(text)).toBe(legal);
    if (legal) expect(legal).toMatch(NAME_PATTERN);
  });
});
