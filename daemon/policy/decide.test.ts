// The one place that decides, a fact at a time.
import { expect, test } from "vitest";
import { decide, type Facts } from "./decide.ts";
import { parsePolicy } from "./parse.ts";

type Changes = Partial<Omit<Facts, "sender" | "session" | "counts">> & {
  sender?: Partial<Facts["sender"]>;
  session?: Partial<Facts["session"]>;
  counts?: Partial<Facts["counts"]>;
};

function facts({ sender, session, counts, ...more }: Changes = {}): Facts {
  return {
    now: new Date("2026-03-02T12:00").getTime(),
    sender: {
      member: "id-alice",
      name: "alice",
      session: "payments",
      role: "member",
      mayWake: true,
      ...sender,
    },
    workspace: "acme",
    kinds: ["direct"],
    priority: "next",
    hops: 1,
    isReleased: false,
    session: { name: "docs", isDnd: false, isIdle: false, bypasses: false, inbound: "accept", ...session },
    counts: { turn: () => 1, repeats: () => 0, roomAt: () => null, wakeups: () => 0, ...counts },
    ...more,
  };
}

/** Which rule decided, and how. */
function ruled(policy: string, changes: Changes = {}): string {
  const { rule, verdict } = decide(parsePolicy(policy), facts(changes));
  const how =
    "post" in verdict ? (verdict.held ? "kept" : "post") : "later" in verdict ? "later" : verdict.state;
  return `${how} by ${rule}`;
}

test("what no rule fits is accepted; the first that fits decides", () => {
  expect(ruled("")).toBe("post by default");
  const rules = "inbound: [{ from: bob, do: refuse }, { from: alice, do: hold }, { do: refuse }]";
  expect(ruled(rules)).toBe("held by inbound 2");
  expect(ruled(rules, { sender: { name: "bob" } })).toBe("refused by inbound 1");
  expect(ruled(rules, { sender: { name: "carol" } })).toBe("refused by inbound 3");
});

test.each([
  ["from: alice/payments", {}, { sender: { session: "other" } }],
  ["from: id-alice", {}, { sender: { member: "id-other" } }],
  ["from: [bob, alice]", {}, { sender: { name: "carol" } }],
  ["role: member", {}, { sender: { role: "guest" as const } }],
  ["workspace: acme", {}, { workspace: "other" }],
  ["kind: mention", { kinds: ["topic", "mention"] as const }, { kinds: ["topic"] as const }],
  ["priority: [now, low]", { priority: "now" as const }, {}],
])("a rule by %s", (condition, fits, fitsNot) => {
  const rule = `inbound: [{ ${condition}, do: hold }]`;
  expect(ruled(rule, fits)).toBe("held by inbound 1");
  expect(ruled(rule, fitsNot)).toBe("post by default");
});

test("who may not wake a session is heard once it is at work", () => {
  const sender = { mayWake: false };
  expect(ruled("", { sender, session: { isIdle: true } })).toBe("later by wake");
  expect(ruled("", { sender })).toBe("post by default");
});

test("all conditions of a rule have to fit", () => {
  const rule = "inbound: [{ from: alice, kind: topic, do: hold }]";
  expect(ruled(rule)).toBe("post by default");
  expect(ruled(rule, { kinds: ["topic"] })).toBe("held by inbound 1");
});

test("a sender hears that a rule held it, and nothing of the rule", () => {
  const { verdict } = decide(parsePolicy("inbound: [{ from: alice, workspace: acme, do: hold }]"), facts());
  expect(verdict).toEqual({ state: "held", reason: "a rule holds it for its person" });
});

test("a session that bypasses permissions is for its person's yes, unless the rules say otherwise", () => {
  const bypassing = { session: { bypasses: true } };
  expect(ruled("", bypassing)).toBe("held by bypass");
  expect(ruled("bypass: accept", bypassing)).toBe("post by default");
  expect(ruled("bypass: refuse", bypassing)).toBe("refused by bypass");
});

test("what the client says comes first: refused is refused, whoever releases it, and held it keeps itself", () => {
  expect(ruled("", { session: { inbound: "refuse" }, isReleased: true })).toBe("refused by client");
  expect(ruled("", { session: { inbound: "hold" } })).toBe("kept by default");
});

test("what its person has released is shown, whatever would hold it", () => {
  const everything: Changes = {
    isReleased: true,
    hops: 100,
    session: { bypasses: true, isDnd: true },
    counts: { repeats: () => 100, roomAt: () => 1 },
  };
  expect(ruled("inbound: [{ do: refuse }]", everything)).toBe("post by released");
});

test("sessions that answer each other are stopped at the limit; by their turns, where they don't say", () => {
  const turned = (turn: number, hops: number | null) =>
    ruled("hops: 8", { hops, counts: { turn: () => turn } });
  expect(turned(1, 8)).toBe("post by default");
  expect(turned(1, 9)).toBe("held by hops");
  expect(turned(8, null)).toBe("post by default");
  expect(turned(9, null)).toBe("held by hops");
  // One that says a small number each time is believed for a while.
  expect(turned(26, 1)).toBe("post by default");
  expect(turned(27, 1)).toBe("held by hops");
});

test("the same words too often are held", () => {
  expect(ruled("repeats: 3", { counts: { repeats: () => 2 } })).toBe("post by default");
  expect(ruled("repeats: 3", { counts: { repeats: () => 3 } })).toBe("held by repeats");
});

test("do not disturb lets what is urgent through", () => {
  expect(ruled("", { session: { isDnd: true } })).toBe("later by dnd");
  expect(ruled("", { session: { isDnd: true }, priority: "now" })).toBe("post by default");
});

test("quiet hours and the rate say when it is looked at again", () => {
  const quiet = decide(parsePolicy("quiet: [{ from: '11:00', to: '13:00' }]"), facts());
  expect(quiet).toMatchObject({ rule: "quiet", verdict: { later: new Date("2026-03-02T13:00").getTime() } });
  const rate = decide(parsePolicy("rate: 5"), facts({ counts: { roomAt: (rate) => rate * 100 } }));
  expect(rate).toMatchObject({ rule: "rate", verdict: { later: 500 } });
});

test("woken often enough, an idle session is left alone until the next day; one at work hears it", () => {
  const spent = { counts: { wakeups: () => 10 } };
  const idle = decide(parsePolicy("wakeups: 10"), facts({ ...spent, session: { isIdle: true } }));
  expect(idle).toMatchObject({ rule: "wakeups", verdict: { later: new Date("2026-03-03T00:00").getTime() } });
  expect(ruled("wakeups: 10", spent)).toBe("post by default");
  expect(ruled("wakeups: 11", { ...spent, session: { isIdle: true } })).toBe("post by default");
});
