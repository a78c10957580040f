// The wire's shapes are pinned to PROTOCOL_VERSION: who changes one by accident is told so here.
import { expect, test } from "vitest";
import { z } from "zod";
import { utf8 } from "./bytes.ts";
import { chainEntry } from "./chain/entries.ts";
import type { Approval } from "./features/approval.ts";
import { face } from "./features/member.ts";
import { fromBroker, fromDevice, outer } from "./frames.ts";
import { sha256 } from "./hash.ts";
import { header, SIGNATURE_BYTES } from "./record.ts";
import { events, methods } from "./registry.ts";
import { questions, signals } from "./signal.ts";
import { encodeSocketFrame, FORM_FEED, type SocketFrame } from "./socket.ts";
import { DOMAIN, PROTOCOL_VERSION } from "./version.ts";
import pinned from "./wire-hash.json" with { type: "json" };

const error = { code: "usage", message: "", hint: "" } as const;

const approval: Approval = {
  id: "",
  state: "waiting",
  method: "",
  scope: "admin",
  verb: "",
  params: {},
  workspace: null,
  session: { id: null, name: null },
  device: "",
  at: "",
  until: "",
};

/** Socket frames have types instead of schemas; one of each stands for them. */
const socketFrames: SocketFrame[] = [
  { type: "hello", data: { client: "cli", version: "", session: "", inside: true, patienceMs: 1 } },
  { type: "welcome", data: { version: "", pid: 0 } },
  { type: "request", data: { id: 0, method: "", params: null } },
  { type: "response", data: { id: 0, result: null } },
  { type: "response", data: { id: 0, error } },
  { type: "held", data: { id: 0, approval } },
  { type: "event", data: { id: 0, event: null } },
  { type: "error", data: error },
];

function shape(schema: z.ZodType): unknown {
  return z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
}

function shapes(table: object): unknown {
  return Object.fromEntries(
    Object.entries(table).map(([name, value]) => [
      name,
      value instanceof z.ZodType ? shape(value) : typeof value === "object" ? shapes(value) : value,
    ]),
  );
}

/** Keys sorted, so that only what a peer can tell makes a difference. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toSorted()
      .map(([key, inner]) => [key, sorted(inner)]),
  );
}

/** For strict JSON, where the order of keys is part of the format. */
function inOrder(table: Record<string, z.ZodType>): string {
  return JSON.stringify(shapes(table));
}

/** Everything of the wire that schemas say. */
function description(): string {
  return JSON.stringify({
    domain: DOMAIN,
    signatureBytes: SIGNATURE_BYTES,
    strict: inOrder({ header, chainEntry, fromDevice, fromBroker, outer }),
    sealed: sorted(shapes({ events, signals, questions, face })),
    methods: sorted(shapes(methods)),
    socket: { end: FORM_FEED, frames: socketFrames.map(encodeSocketFrame) },
  });
}

function hashOf(text: string): string {
  return Buffer.from(sha256(utf8(text))).toString("hex");
}

test("the shapes on the wire are those of this protocol version", () => {
  const found = { version: PROTOCOL_VERSION, hash: hashOf(description()) };
  const advice = [
    "The shapes on the wire have changed: records, chain entries, frames, sealed events, methods or socket frames.",
    "Was that not meant? Undo it. Was it meant? Raise PROTOCOL_VERSION in protocol/version.ts;",
    "before the first release, and for a new event or method that old peers may ignore, only pin it anew.",
    "Then protocol/wire-hash.json is:",
    JSON.stringify(found),
  ].join("\n");
  expect(found, advice).toEqual(pinned);
});

test("the hash sees a renamed field, another type, another order of strict keys, a key more allowed", () => {
  const hashes = [
    z.strictObject({ a: z.string(), b: z.int() }),
    z.strictObject({ a: z.string(), c: z.int() }),
    z.strictObject({ a: z.string(), b: z.string() }),
    z.strictObject({ a: z.string(), b: z.int().optional() }),
    z.strictObject({ b: z.int(), a: z.string() }),
    z.object({ a: z.string(), b: z.int() }),
  ].map((schema) => hashOf(inOrder({ schema })));
  expect(new Set(hashes).size).toBe(hashes.length);
});
