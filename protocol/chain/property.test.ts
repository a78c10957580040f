// Whatever anybody tries, in whatever order: what the model calls legal is admitted, and nothing else.
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { nodeCurves } from "#adapters/curves.ts";
import { signEntry } from "#test/chain-builder.ts";
import {
  CODES,
  DEVICES,
  holders,
  isLegal,
  type Model,
  type Move,
  moved,
  PEOPLE,
  speaks,
  waiting,
} from "#test/chain-model.ts";
import { createWorld, inWords, remembering, told, type World } from "#test/chain-moves.ts";
import { ERRORS, MeshError } from "../errors.ts";
import { decodeRecord, recordHash } from "../record.ts";
import { admit } from "./admit.ts";
import { type ChainState, currentEpoch } from "./state.ts";

const SEQUENCES = Number(process.env.CHAIN_SEQUENCES ?? 10_000);
const LIMIT_MS = 300_000;

/** alice owns it, bob is an admin with a second device, carol a member, dave a guest. */
const START: Model = {
  owner: "alice",
  members: {
    alice: { role: "owner", active: true, seed: 1, became: null },
    bob: { role: "admin", active: true, seed: 1, became: null },
    carol: { role: "member", active: true, seed: 1, became: null },
    dave: { role: "guest", active: true, seed: 1, became: null },
  },
  devices: {
    "alice.laptop": true,
    "bob.laptop": true,
    "carol.laptop": true,
    "dave.laptop": true,
    "bob.phone": true,
  },
  revoked: [],
  invites: {},
  offer: null,
  epoch: 0,
  sealed: ["alice", "bob", "carol"],
  stale: false,
};

const TYPES = [
  "device",
  "device-revoke",
  "seed",
  "invite",
  "revoke",
  "join",
  "leave",
  "remove",
  "role",
  "offer",
  "accept",
  "migrate",
  "epoch",
] as const;

/** What is wrong with a record beside what it says. */
const FLAWS = [
  /** On a head that once was. */
  "old head",
  "other epoch",
  /** An entry that was taken in before, once more. */
  "replay",
  "flipped bit",
  /** By a key that isn't the one of the device it names. */
  "stolen name",
  /** By one's own device, in another member's name. */
  "foreign name",
  /** What is signed inside of the entry is signed by another root, or with a guessed secret. */
  "forged proof",
] as const;

type Try = {
  type: (typeof TYPES)[number];
  /** Whether it is one of those who may speak now, by their device. */
  isIn: boolean;
  who: number;
  dev: number;
  whom: number;
  number: number;
  flaw: (typeof FLAWS)[number] | null;
};

const tries: fc.Arbitrary<Try> = fc.record({
  type: fc.constantFrom(...TYPES),
  isIn: fc.constantFrom(true, true, true, false),
  who: fc.nat(20),
  dev: fc.nat(2),
  whom: fc.nat(20),
  number: fc.nat(1023),
  flaw: fc.oneof(
    { weight: 5, arbitrary: fc.constant(null) },
    { weight: 2, arbitrary: fc.constantFrom(...FLAWS) },
  ),
});

let world: World;
let start: ChainState;
const curves = remembering(nodeCurves);
const trusting = { ...nodeCurves, verify: async () => true };

beforeAll(async () => {
  world = await createWorld();
  start = world.chain.state;
  expect(inWords(world, start)).toEqual(told(START));
});

function at<T>(list: readonly T[], number: number): T {
  const one = list[number % list.length];
  if (one === undefined) throw new Error("the list is empty");
  return one;
}

/** The move that a try means, as things stand. */
function moveOf(
  model: Model,
  { type, isIn, who: whoNumber, dev: devNumber, whom: whomNumber, number }: Try,
): Move {
  const inside = PEOPLE.flatMap((who) =>
    DEVICES.filter((dev) => speaks(model, who, dev)).map((dev) => ({ who, dev })),
  );
  const anybody = { who: at(PEOPLE, whoNumber), dev: at(DEVICES, devNumber) };
  const comes = type === "join" || type === "device";
  const by = isIn && inside.length > 0 && !comes ? at(inside, whoNumber) : anybody;
  const whom = at(PEOPLE, whomNumber);
  const code = at(CODES, number);
  const roles = ["admin", "member", "guest"] as const;
  const seedOf = (one: typeof whom) =>
    Math.max(0, (model.members[one]?.seed ?? 1) + (number % 4 === 3 ? -1 : number % 2));
  switch (type) {
    case "device":
    case "leave":
    case "accept":
      return { type, ...by };
    case "device-revoke":
      return { type, ...by, devices: DEVICES.filter((_, i) => ((number % 7) + 1) & (1 << i)) };
    case "seed":
      return { type, ...by, number: seedOf(by.who) };
    case "invite":
      return { type, ...by, code, role: at(roles, whomNumber), uses: 1 + (number % 2) };
    case "revoke":
      return { type, ...by, code };
    case "join":
      return { type, ...by, code: at(CODES, whomNumber), seed: seedOf(by.who) };
    case "remove":
      return { type, ...by, whom };
    case "role":
      return { type, ...by, whom, role: at(roles, number) };
    case "offer":
      return { type, ...by, whom: number % 5 === 0 ? null : whom };
    case "migrate":
      return { type, ...by, whom, device: at(DEVICES, devNumber), seed: seedOf(whom) };
    case "epoch": {
      const isNew = number % 2 === 0;
      const right = isNew ? holders(model) : waiting(model);
      const wrong = number % 8 === 2 ? right.slice(1) : [...new Set([...right, whom])];
      const to = number % 8 < 2 || number % 8 > 3 ? right : wrong;
      const follows = model.epoch + (isNew ? 1 : 0) + (number % 16 === 4 ? 1 : 0);
      return { type, ...by, isNew, number: follows, to };
    }
  }
}

type Place = { state: ChainState; model: Model; log: readonly Uint8Array[] };

/** The record of a try, and whether the model lets it in. */
async function recordOf(
  place: Place,
  attempt: Try,
): Promise<{ move: Move; bytes: Uint8Array; isRight: boolean }> {
  const { state, model, log } = place;
  const { number, flaw, whom: whomNumber } = attempt;
  const move = moveOf(model, attempt);
  const author = world.who(move.who);
  const signer = world.device(move.who, move.dev);
  const stranger = at(
    PEOPLE.filter((one) => one !== move.who && !("whom" in move && one === move.whom)),
    whomNumber,
  );
  const hasProof = ["device", "device-revoke", "seed", "join", "migrate"].includes(move.type);
  const isForged = flaw === "forged proof" && hasProof;
  const entry = await world.entryOf(move, isForged ? stranger : null);
  const height = number % (log.length - 1);
  const epoch = (currentEpoch(state)?.number ?? 0) + (flaw === "other epoch" ? 1 : 0);
  const head = flaw === "old head" ? { height, hash: recordHash(at(log, height)) } : state.head;
  const said =
    flaw === "stolen name"
      ? { signer: { ...signer, seed: world.device(stranger, "laptop").seed } }
      : { signer, ...(flaw === "foreign name" ? { from: world.who(stranger).id } : {}) };
  const signed = await signEntry(
    world.chain.workspace,
    { head, epoch, n: 100 + log.length },
    author,
    entry,
    said,
  );
  const bytes = flaw === "replay" ? at(log, number) : signed;
  if (flaw === "flipped bit") {
    const i = (number * 7919) % bytes.length;
    bytes[i] = (bytes[i] ?? 0) ^ (1 << (number % 8));
  }
  const isFlawed = flaw !== null && (flaw !== "forged proof" || hasProof);
  return { move, bytes, isRight: !isFlawed && isLegal(model, move) };
}

test(
  `${SEQUENCES} sequences: what the model calls legal is admitted, nothing else, and all replicas agree`,
  async () => {
    const first = world.chain.steps.map(({ bytes }) => bytes);
    const admitted = new Map<string, number>();
    let refused = 0;

    const run = async (attempts: readonly Try[]) => {
      let place: Place = { state: start, model: START, log: first };
      for (const attempt of attempts) {
        const { move, bytes, isRight } = await recordOf(place, attempt);
        const sequence = place.log.length + 1;
        try {
          const state = await admit(
            curves,
            world.chain.workspace,
            place.state,
            decodeRecord(bytes),
            sequence,
          );
          expect({ move, flaw: attempt.flaw, isRight }).toEqual({ move, flaw: attempt.flaw, isRight: true });
          place = { state, model: moved(place.model, move), log: [...place.log, bytes] };
          admitted.set(move.type, (admitted.get(move.type) ?? 0) + 1);
          const [said, meant] = [inWords(world, state), told(place.model)];
          if (!isDeepStrictEqual(said, meant)) expect({ move, ...said }).toEqual({ move, ...meant });
        } catch (error) {
          if (!(error instanceof MeshError) || !(error.code in ERRORS) || error.code === "unexpected")
            throw error;
          if (isRight) throw new Error(`${JSON.stringify(move)} is refused as ${error.code}`);
          refused++;
        }
      }
      // As a replica that reads them now, with all signatures; and as a broker that starts on what it committed.
      for (const [by, from] of [
        [curves, first.length],
        [trusting, first.length],
      ] as const) {
        let state: ChainState = start;
        for (const [i, bytes] of place.log.slice(from).entries()) {
          state = await admit(by, world.chain.workspace, state, decodeRecord(bytes), from + i + 1);
        }
        if (!isDeepStrictEqual(state, place.state)) expect(state).toEqual(place.state);
      }
    };

    await fc.assert(fc.asyncProperty(fc.array(tries, { minLength: 1, maxLength: 14 }), run), {
      numRuns: SEQUENCES,
    });
    // Each kind was among what came in, so nothing of this was tested by its refusal alone.
    if (SEQUENCES >= 1000) expect([...admitted.keys()].sort()).toEqual([...TYPES].sort());
    expect(refused).toBeGreaterThan(0);
  },
  LIMIT_MS,
);
