/**
 * What two devices say to each other to pair: the new one asks with its public key, the other one answers with its
 * certificate and the account's keys. Each box lies under its own key of the code, which only the two have.
 */
import { z } from "zod";
import { fromBase64url, toBase64url } from "../bytes.ts";
import { certifiedDevice } from "../certificate.ts";
import { MeshError } from "../errors.ts";
import { strictJson } from "../json.ts";
import type { Random } from "../ports.ts";
import { bytes } from "../schema.ts";
import { openBody, sealBody } from "../seal.ts";
import { contentsSchema } from "./vault.ts";

const ask = z.strictObject({
  type: z.literal("pair-ask"),
  /** The new device's public key. */
  key: bytes.length(43),
  /** What to call it. */
  name: z.string().min(1).max(100),
});

const answer = z.strictObject({
  type: z.literal("pair-answer"),
  rootKey: bytes.length(43),
  seeds: contentsSchema.shape.seeds,
  formerly: contentsSchema.shape.formerly,
  home: z.strictObject({ origin: z.string().max(300), email: z.string().max(300) }),
  device: certifiedDevice,
});

export type PairAsk = z.infer<typeof ask>;
export type PairAnswer = z.infer<typeof answer>;

function box<T>(schema: z.ZodType<T>, what: string) {
  const json = strictJson(schema, "bad_data", what);
  return {
    seal: (key: Uint8Array, value: T, random: Random) =>
      toBase64url(sealBody(key, json.encode(value), random)),
    /** @throws MeshError bad_seal */
    open(key: Uint8Array, sealed: string): T {
      try {
        return json.decode(openBody(key, fromBase64url(sealed)));
      } catch {
        throw new MeshError(
          "bad_seal",
          "What came by the pairing code isn't from the other device.",
          "Begin with a new code.",
        );
      }
    },
  };
}

export const pairAsk = box(ask, "request to pair");
export const pairAnswer = box(answer, "answer to pair");
