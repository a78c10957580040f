/** HSalsa20 as `crypto_box` uses it after X25519. tweetnacl exports it, but its types leave it out. */
import nacl from "tweetnacl";
import { utf8 } from "./bytes.ts";

type Lowlevel = {
  lowlevel: {
    crypto_core_hsalsa20(out: Uint8Array, input: Uint8Array, key: Uint8Array, constant: Uint8Array): number;
  };
};

const { lowlevel } = nacl as unknown as Lowlevel;
const ZEROS = new Uint8Array(16);
const SIGMA = utf8("expand 32-byte k");

/** NaCl's `beforenm` without its X25519: equal bytes for an equal shared secret. */
export function hsalsa20(sharedSecret: Uint8Array): Uint8Array {
  const key = new Uint8Array(32);
  lowlevel.crypto_core_hsalsa20(key, ZEROS, sharedSecret, SIGMA);
  return key;
}
