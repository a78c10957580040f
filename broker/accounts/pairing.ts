/**
 * Where two devices meet that know a pairing code: a place with two slots, each written once and taken once, for two
 * minutes. Kept in memory alone: what lies there opens the account for whoever guesses the code, so it gets into no backup.
 */
import { MeshError } from "#protocol/errors.ts";
import type { Timers } from "#protocol/ports.ts";
import { conflict, type Operations } from "./asking.ts";
import { slowDown } from "./throttle.ts";
import { createWaiting } from "./waiting.ts";

export const PAIRING = {
  openMs: 2 * 60_000,
  /** Places at once, of all and of one address. */
  places: 1000,
  placesPerAddress: 20,
  /** Characters of a box. */
  box: 64 * 1024,
  /** Who waits at one slot: the other device, and what is left of its lost connections. */
  waitingPerSlot: 4,
};

/** A slot's box; null once it was taken. */
type Place = { slots: Map<string, string | null>; close(): void };

export type Pairing = Operations<"leave" | "take"> & { stop(): void };

export function createPairing(timers: Timers, limits = PAIRING): Pairing {
  const places = new Map<string, Place>();
  const perAddress = new Map<string, number>();
  const waiting = createWaiting(timers, { perKey: limits.waitingPerSlot, all: 2 * limits.places });

  const open = (id: string, address: string): Place => {
    const known = places.get(id);
    if (known) return known;
    const count = perAddress.get(address) ?? 0;
    if (count >= limits.placesPerAddress || places.size >= limits.places) {
      throw slowDown("Too many devices are being paired.", limits.openMs / 4);
    }
    perAddress.set(address, count + 1);
    const close = () => {
      cancel();
      places.delete(id);
      const left = (perAddress.get(address) ?? 1) - 1;
      if (left > 0) perAddress.set(address, left);
      else perAddress.delete(address);
    };
    const cancel = timers.after(limits.openMs, () => {
      close();
      for (const slot of ["asks", "answers"]) waiting.tell(`${id} ${slot}`);
    });
    const place = { slots: new Map(), close };
    places.set(id, place);
    return place;
  };

  return {
    async leave({ place: id, slot, box }, { address }) {
      if (box.length > limits.box) {
        throw new MeshError(
          "too_large",
          "The box is larger than any that pairing needs.",
          "Update claudemesh.",
        );
      }
      const place = open(id, address);
      if (place.slots.has(slot))
        throw conflict("Somebody else has used this code.", "Begin with a new code.");
      place.slots.set(slot, box);
      waiting.tell(`${id} ${slot}`);
      return {};
    },

    async take({ place: id, slot, waitMs }, { address, gone }) {
      const place = open(id, address);
      const box = await waiting.until(`${id} ${slot}`, { ms: waitMs, gone }, async () => {
        const left = places.get(id) === place ? place.slots.get(slot) : null;
        if (left === null) throw pairingOver();
        if (left !== undefined) place.slots.set(slot, null);
        return left ?? null;
      });
      return { box };
    },

    stop() {
      waiting.end();
      for (const { close } of [...places.values()]) close();
    },
  };
}

function pairingOver(): MeshError {
  return new MeshError(
    "pairing_over",
    "The pairing is over: the code was used, or its two minutes have passed.",
    "Begin with a new code.",
  );
}
