import { describe, expect, test } from "vitest";
import { codeOfAsync } from "#test/code-of.ts";
import { nodeCurves } from "./curves.ts";
import { threadedCurves } from "./threaded-curves.ts";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const bytes = (text: string) => Uint8Array.from(Buffer.from(text, "hex"));

/** RFC 8032, section 7.1, tests 1 to 3. */
const ED25519 = [
  {
    seed: "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
    key: "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    message: "",
    signature:
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
  },
  {
    seed: "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
    key: "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
    message: "72",
    signature:
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
  },
  {
    seed: "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
    key: "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
    message: "af82",
    signature:
      "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
  },
];

/** RFC 7748: both of section 5.2, the second also the first step of its loop; section 6.1 from Bob's side. */
const X25519 = [
  {
    secret: "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
    publicKey: "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
    shared: "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
  },
  {
    secret: "0900000000000000000000000000000000000000000000000000000000000000",
    publicKey: "0900000000000000000000000000000000000000000000000000000000000000",
    shared: "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079",
  },
  {
    secret: "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
    publicKey: "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
    shared: "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742",
  },
];
const BOBS_PUBLIC_KEY = "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f";

/** Points of small order: whoever sends one knows the shared secret, zero. */
const SMALL_ORDER = [
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
  "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
];

describe("Ed25519", () => {
  test.each(ED25519)(
    "signs and verifies RFC 8032's message $message",
    async ({ seed, key, message, signature }) => {
      expect(hex(await nodeCurves.signingPublicKey(bytes(seed)))).toBe(key);
      expect(hex(await nodeCurves.sign(bytes(seed), bytes(message)))).toBe(signature);
      expect(await nodeCurves.verify(bytes(key), bytes(message), bytes(signature))).toBe(true);
    },
  );

  const [, vector = { seed: "", key: "", message: "", signature: "" }] = ED25519;
  const key = bytes(vector.key);
  const message = bytes(vector.message);
  const signature = bytes(vector.signature);

  test("refuses a signature with any bit flipped, of another message or key", async () => {
    for (let bit = 0; bit < 512; bit++) {
      const flipped = new Uint8Array(signature);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(await nodeCurves.verify(key, message, flipped)).toBe(false);
    }
    expect(await nodeCurves.verify(key, bytes("73"), signature)).toBe(false);
    expect(await nodeCurves.verify(bytes(ED25519[0]?.key ?? ""), message, signature)).toBe(false);
  });

  test("answers false to keys and signatures of another length", async () => {
    for (const length of [0, 31, 33, 64]) {
      expect(await nodeCurves.verify(new Uint8Array(length), message, signature)).toBe(false);
    }
    for (const length of [0, 32, 63]) {
      expect(await nodeCurves.verify(key, message, signature.subarray(0, length))).toBe(false);
    }
    expect(await nodeCurves.verify(key, message, Uint8Array.from([...signature, 0]))).toBe(false);
  });

  test("answers false to a second form of a right signature, its scalar beyond the order", async () => {
    const order = (1n << 252n) + 27742317777372353535851937790883648493n;
    const scalar = BigInt(`0x${hex(signature.slice(32).reverse())}`) + order;
    const forged = Uint8Array.from([
      ...signature.slice(0, 32),
      ...bytes(scalar.toString(16).padStart(64, "0")).reverse(),
    ]);
    expect(await nodeCurves.verify(key, message, forged)).toBe(false);
  });

  test("takes keys that lie in a larger buffer", async () => {
    const whole = Uint8Array.from([9, ...key, 9]);
    expect(await nodeCurves.verify(whole.subarray(1, 33), message, signature)).toBe(true);
  });
});

describe("in threads, where several are asked for at once", () => {
  const many = Array.from({ length: 20 }, (_, i) => ED25519[i % 3] ?? ED25519[0]);

  test("signs as it does alone", async () => {
    const signing = many.map((vector) =>
      threadedCurves.sign(bytes(vector?.seed ?? ""), bytes(vector?.message ?? "")),
    );
    expect((await Promise.all(signing)).map(hex)).toEqual(many.map((vector) => vector?.signature));
  });

  test("verifies each by itself, and refuses keys and signatures of another length", async () => {
    const signatures = many.map((vector, i) => bytes(vector?.signature ?? "").subarray(0, i === 7 ? 63 : 64));
    const verifying = many.map((vector, i) =>
      threadedCurves.verify(
        bytes(vector?.key ?? "").subarray(0, i === 8 ? 31 : 32),
        bytes(i === 9 ? "ff" : (vector?.message ?? "")),
        signatures[i] ?? new Uint8Array(0),
      ),
    );
    expect(await Promise.all(verifying)).toEqual(many.map((_, i) => i < 7 || i > 9));
  });
});

describe("X25519", () => {
  test.each(X25519)("agrees on RFC 7748's $shared", async ({ secret, publicKey, shared }) => {
    expect(hex(await nodeCurves.agree(bytes(secret), bytes(publicKey)))).toBe(shared);
  });

  test("gives the public half", async () => {
    expect(hex(await nodeCurves.sealingPublicKey(bytes(X25519[2]?.secret ?? "")))).toBe(BOBS_PUBLIC_KEY);
  });

  test.each(SMALL_ORDER)("refuses as bad_key a point of small order, %s", async (point) => {
    expect(await codeOfAsync(nodeCurves.agree(bytes(X25519[0]?.secret ?? ""), bytes(point)))).toBe("bad_key");
  });

  test("refuses as bad_key a key of another length", async () => {
    for (const length of [0, 31, 33]) {
      expect(
        await codeOfAsync(nodeCurves.agree(bytes(X25519[0]?.secret ?? ""), new Uint8Array(length))),
      ).toBe("bad_key");
    }
  });
});
