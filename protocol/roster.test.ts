import { expect, test } from "vitest";
import { codeOf } from "#test/code-of.ts";
import { admitRoster, type Roster, type RosterClaim, type RosterFacts } from "./roster.ts";

const [LABEL, HASH] = ["A".repeat(22), "A".repeat(43)];

function claim(
  by: string,
  members: string,
  changes: Partial<RosterClaim> & { version?: number } = {},
): RosterClaim {
  const { version = 2, ...others } = changes;
  const put = { key: LABEL, version, expect: HASH, own: false, ttl: null, tombstone: false };
  const called = new Map([...members].map((one) => [one, one.toUpperCase()]));
  return { from: by, epoch: 0, generation: 1, name: "hiring", put, members: called, ...others };
}

/** a makes the topic, o owns the workspace, x has left it; m is who n was. */
const facts: RosterFacts = {
  heirOf: (member) => (member === "n" ? "m" : member),
  isIn: (member) => member !== "x",
  mayRemove: (member) => member === "o",
};

const first = claim("a", "abox", { version: 1, generation: 0 });
const made = { ...first, put: { ...first.put, expect: null } };
const start = (): Roster => admitRoster(null, made, facts);
const after = (one: RosterClaim) => [...admitRoster(start(), one, facts).members.keys()].join("");
const refused = (one: RosterClaim, before: Roster | null = start()) =>
  codeOf(() => admitRoster(before, one, facts));

test("the first has no one before it, and is by somebody who is in it", () => {
  expect(start()).toMatchObject({ founder: "a", generation: 0, version: 1 });
  expect(refused(first, null)).toBe("bad_record");
  expect(refused({ ...made, generation: 1 }, null)).toBe("bad_record");
  expect(refused({ ...made, from: "z" }, null)).toBe("bad_record");
});

test("whoever is in adds others, under the same key or a new one", () => {
  expect(after(claim("b", "aboxc", { generation: 0 }))).toBe("aboxc");
  expect(after(claim("b", "aboxc"))).toBe("aboxc");
  expect(refused(claim("z", "aboxz"))).toBe("not_in_topic");
});

test("the founder and the owner remove others; anybody oneself, and who has left the workspace", () => {
  expect(after(claim("a", "aox"))).toBe("aox");
  expect(after(claim("o", "box"))).toBe("box");
  expect(after(claim("b", "aox"))).toBe("aox");
  expect(after(claim("b", "abo"))).toBe("abo");
  expect(refused(claim("b", "abx"))).toBe("not_allowed");
  expect(refused(claim("o", ""))).toBe("accepted");
});

test("nobody goes without a new key", () => {
  expect(refused(claim("a", "aox", { generation: 0 }))).toBe("bad_record");
  expect(refused(claim("b", "aox", { generation: 0 }))).toBe("bad_record");
});

test("nothing goes back, ends or is called otherwise", () => {
  expect(refused(claim("a", "abox", { version: 1 }))).toBe("rolled_back");
  const second = admitRoster(start(), claim("a", "abox"), facts);
  expect(refused(claim("a", "abox", { version: 3, generation: 0 }), second)).toBe("rolled_back");
  expect(refused(claim("a", "abox", { name: "other" }))).toBe("bad_record");
  const { put } = claim("a", "abox");
  expect(refused(claim("a", "abox", { put: { ...put, tombstone: true } }))).toBe("bad_record");
  expect(refused(claim("a", "abox", { put: { ...put, ttl: 1 } }))).toBe("bad_record");
});

test("who has gone over into another identity is in as that one", () => {
  const before = admitRoster(start(), claim("a", "aboxn", { generation: 0 }), facts);
  const heir = claim("m", "aboxm", { version: 3, generation: 0 });
  expect([...admitRoster(before, heir, facts).members.keys()].join("")).toBe("aboxm");
});
