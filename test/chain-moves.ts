/** From a move of the model to a record that a device would sign, with real keys; and the other way, from a chain's state to the model. */
import { nodeCurves } from "#adapters/curves.ts";
import { toBase64url } from "#protocol/bytes.ts";
import type { ChainEntry } from "#protocol/chain/entries.ts";
import { awaitingKey, type ChainState, currentEpoch, isIn } from "#protocol/chain/state.ts";
import { inviteSeed } from "#protocol/derive.ts";
import type { Curves } from "#protocol/ports.ts";
import { found, type TestChain } from "./chain-builder.ts";
import {
  CODES,
  DEVICES,
  type DeviceName,
  deviceName,
  type Model,
  type Move,
  type Name,
  PEOPLE,
  waiting,
} from "./chain-model.ts";
import { fixedBytes, type Person, pairedDevice, person, type TestDevice, withSeed } from "./person.ts";

export type World = Awaited<ReturnType<typeof createWorld>>;

/** alice owns the workspace, bob is an admin with two devices, carol a member, dave a guest. */
export async function createWorld() {
  const people = new Map<Name, Person>();
  const devices = new Map<string, TestDevice>();
  for (const name of PEOPLE) {
    const who = await person(name);
    const phone = await pairedDevice(who, who.device, "phone");
    const tablet = await pairedDevice(who, phone, "tablet");
    people.set(name, who);
    for (const [i, device] of [who.device, phone, tablet].entries()) {
      devices.set(deviceName(name, DEVICES[i] ?? "laptop"), device);
    }
  }
  const who = (name: Name) => known(people.get(name));
  const device = (name: Name, dev: DeviceName) => known(devices.get(deviceName(name, dev)));

  const chain = await found(who("alice"));
  await chain.epoch(who("alice"));
  await chain.join(who("bob"), await chain.invite(who("alice"), { role: "admin" }));
  await chain.join(who("carol"), await chain.invite(who("alice"), { role: "member" }));
  await chain.join(who("dave"), await chain.invite(who("alice"), { role: "guest" }));
  await chain.share(who("alice"));
  await chain.addDevice(who("bob"), device("bob", "phone"));

  const entries = new Map<string, Promise<ChainEntry>>();
  return {
    chain,
    who,
    device,
    /** `forger`: whose root or secret signs what is signed inside of the entry, instead of the right one. */
    entryOf(move: Move, forger: Name | null): Promise<ChainEntry> {
      const name = JSON.stringify([move, forger]);
      const made = entries.get(name) ?? makeEntry({ chain, who, device }, move, forger);
      // An epoch's text depends on nothing but the move either: what is in its boxes is nothing to the chain's rules.
      entries.set(name, made);
      return made;
    },
    /** Names that the chain only knows by their ids. */
    nameOf: new Map([...people].map(([name, { id }]) => [id, name])),
    deviceNameOf: new Map([...devices].map(([name, { id }]) => [id, name])),
  };
}

type Cast = { chain: TestChain; who(name: Name): Person; device(name: Name, dev: DeviceName): TestDevice };

async function makeEntry({ chain, who, device }: Cast, move: Move, forger: Name | null): Promise<ChainEntry> {
  const { draft } = chain;
  const author = who(move.who);
  const signer = forger ? { ...author, rootSeed: who(forger).rootSeed } : author;
  /** The device as an entry shows it; forged, its first certificate is somebody else's. */
  const shown = (dev: TestDevice) =>
    forger ? { ...dev, certificate: device(forger, "laptop").certificate } : dev;
  switch (move.type) {
    case "device":
      return draft.device(shown(device(move.who, move.dev)));
    case "device-revoke":
      return draft.deviceRevoke(
        signer,
        move.devices.map((dev) => device(move.who, dev).id),
      );
    case "seed":
      return draft.seed(withSeed(signer, move.number));
    case "invite": {
      const { code, role, uses } = move;
      const key = toBase64url(await nodeCurves.signingPublicKey(inviteSeed(secretOf(code))));
      return { type: "invite", code, key, role, expiresAt: 0, uses };
    }
    case "join": {
      const secret = forger ? fixedBytes("a guess", 16) : secretOf(move.code);
      const joiner = withSeed(author, move.seed);
      return draft.join(joiner, { code: move.code, secret }, device(move.who, move.dev));
    }
    case "remove":
      return { type: "remove", member: who(move.whom).id };
    case "role":
      return { type: "role", member: who(move.whom).id, role: move.role };
    case "offer":
      return { type: "offer", member: move.whom && who(move.whom).id };
    case "migrate":
      return draft.migrate(signer, withSeed(who(move.whom), move.seed), device(move.whom, move.device));
    case "epoch": {
      const sealed = Object.fromEntries(
        move.to.map((name) => [who(name).id, toBase64url(fixedBytes(name, 72))]),
      );
      // Epoch 0 has its own key's commitment; the others' are made up.
      const commitment =
        move.number === 0
          ? known(chain.state.epochs[0]).commitment
          : fixedBytes(`commitment of ${move.number}`);
      return {
        type: "epoch",
        number: move.number,
        commitment: toBase64url(commitment),
        sealed,
        previous: move.isNew ? toBase64url(fixedBytes("previous", 72)) : "",
      };
    }
    case "revoke":
      return { type: "revoke", code: move.code };
    case "leave":
      return { type: "leave" };
    case "accept":
      return { type: "accept" };
  }
}

/** A chain's state in the model's words. */
export function inWords({ nameOf, deviceNameOf }: World, state: ChainState) {
  const name = (id: string | null) => (id === null ? null : known(nameOf.get(id)));
  const sorted = <T>(entries: [string, T][]) =>
    Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
  return {
    owner: name(state.owner),
    members: sorted(
      [...state.members.values()].map(({ id, role, active, seed, became }) => [
        String(name(id)),
        { role, active, seed, became: name(became) },
      ]),
    ),
    devices: sorted([...state.devices.values()].map((one) => [known(deviceNameOf.get(one.id)), isIn(one)])),
    invites: sorted(
      [...state.invites.values()]
        .flatMap(({ code, role, uses, used, void: isVoid, by, dev }) =>
          isCode(code)
            ? [[code, { role, uses, used, void: isVoid, by: name(by), from: deviceNameOf.get(dev) }] as const]
            : [],
        )
        .map(([code, invite]) => [code, invite]),
    ),
    offer: state.offer && { to: name(state.offer.member), from: deviceNameOf.get(state.offer.dev) },
    epoch: currentEpoch(state)?.number,
    waiting: awaitingKey(state)
      .map(({ id }) => String(name(id)))
      .sort(),
    stale: state.stale,
  };
}

/** The model in the same form. */
export function told(model: Model) {
  const sorted = (entries: object) =>
    Object.fromEntries(Object.entries(entries).sort(([a], [b]) => (a < b ? -1 : 1)));
  const { owner, offer, epoch, stale } = model;
  return {
    owner,
    members: sorted(model.members),
    devices: sorted(model.devices),
    invites: sorted(model.invites),
    offer,
    epoch,
    waiting: waiting(model).sort(),
    stale,
  };
}

/** Verifies each signature once: most of a sequence's were in another one before. */
export function remembering(curves: Curves): Curves {
  const verdicts = new Map<string, boolean>();
  const latin1 = (bytes: Uint8Array) =>
    Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
  return {
    ...curves,
    async verify(key, message, signature) {
      const name = `${latin1(key)}${latin1(signature)}${latin1(message)}`;
      const verdict = verdicts.get(name) ?? (await curves.verify(key, message, signature));
      if (verdicts.size < 200_000) verdicts.set(name, verdict);
      return verdict;
    },
  };
}

function secretOf(code: string): Uint8Array {
  return fixedBytes(`secret of ${code}`, 16);
}

function isCode(code: string): boolean {
  return CODES.some((one) => one === code);
}

function known<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("the cast is known by name");
  return value;
}
