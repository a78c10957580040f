/** Argon2id by OpenSSL, on a thread of Node's pool. */
import { argon2 } from "node:crypto";
import { STRETCHING } from "#protocol/account/keys.ts";
import type { Stretch } from "#protocol/ports.ts";

export const nodeStretch: Stretch = (passphrase, salt) =>
  new Promise((resolve, reject) => {
    const { memory, passes, lanes, length } = STRETCHING;
    const options = {
      message: passphrase,
      nonce: salt,
      parallelism: lanes,
      tagLength: length,
      memory,
      passes,
    };
    argon2("argon2id", options, (error, key) => (error ? reject(error) : resolve(new Uint8Array(key))));
  });
