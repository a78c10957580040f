import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { codeOf } from "#test/code-of.ts";
import { fixedBytes } from "#test/person.ts";
import { toBase64url } from "./bytes.ts";
import {
  decodeInviteAddress,
  decodeInviteLink,
  encodeInviteAddress,
  encodeInviteLink,
} from "./invite-link.ts";

const sixteen = fc.uint8Array({ minLength: 16, maxLength: 16 });
const fragment = toBase64url(fixedBytes("fragment"));
const link = `https://mesh.example/i/Ab3dE6gH#${fragment}`;

describe("an invite link", () => {
  test("comes back as it went", () => {
    const brokers = fc.constantFrom("https://mesh.example", "http://localhost:7777", "http://[::1]:8080");
    fc.assert(
      fc.property(
        brokers,
        fc.stringMatching(/^[0-9A-Za-z]{8}$/),
        sixteen,
        sixteen,
        (broker, code, secret, head) => {
          const decoded = decodeInviteLink(encodeInviteLink({ broker, code, secret, head }));
          expect(decoded).toEqual({ broker, code, secret, head });
        },
      ),
    );
  });

  test("keeps its secret behind the #, where no server sees it", () => {
    const { origin, pathname } = new URL(link);
    expect(`${origin}${pathname}`).toBe("https://mesh.example/i/Ab3dE6gH");
  });

  test("without its secret, as it goes by e-mail, is an address to ask at, and no link", () => {
    const address = { broker: "https://mesh.example", code: "Ab3dE6gH" };
    const text = encodeInviteAddress(address);
    expect(text).toBe("https://mesh.example/i/Ab3dE6gH");
    expect(decodeInviteAddress(`<${text}>.`)).toEqual(address);
    expect(decodeInviteAddress(link)).toBeNull();
    expect(codeOf(() => decodeInviteLink(text))).toBe("invite_malformed");
    for (const cut of ["https://mesh.example/i/Ab3dE6g", "https://mesh.example/", "Ab3dE6gH", ""]) {
      expect(
        codeOf(() => decodeInviteAddress(cut)),
        cut,
      ).toBe("invite_malformed");
    }
  });

  test.each([` ${link}\n`, `<${link}>`, `"${link}"`, `'${link}'`, `(${link}).`, `\`${link}\`,`])(
    "may have around it what it was copied with: %s",
    (text) => {
      expect(decodeInviteLink(text)).toEqual(decodeInviteLink(link));
    },
  );
});

describe("as invite_malformed is refused", () => {
  test.each([
    ["nothing", ""],
    ["no URL", "Ab3dE6gH"],
    ["another scheme", link.replace("https", "ftp")],
    ["no code", link.replace("Ab3dE6gH", "")],
    ["a short code", link.replace("Ab3dE6gH", "Ab3dE6g")],
    ["a long code", link.replace("Ab3dE6gH", "Ab3dE6gH1")],
    ["a code with a foreign character", link.replace("Ab3dE6gH", "Ab3dE-gH")],
    ["another path", link.replace("/i/", "/j/")],
    ["a path before the code's", link.replace("/i/", "/x/i/")],
    ["a path behind the code", link.replace("#", "/#")],
    ["no fragment", link.replace(/#.*/, "")],
    ["an empty fragment", link.replace(/#.*/, "#")],
    ["a fragment cut by a character", link.slice(0, -1)],
    [
      "a fragment cut by a byte or more",
      `https://mesh.example/i/Ab3dE6gH#${toBase64url(fixedBytes("short", 31))}`,
    ],
    ["a fragment that is too long", `https://mesh.example/i/Ab3dE6gH#${toBase64url(fixedBytes("long", 33))}`],
    ["a fragment with a foreign character", link.replace(/.$/, "!")],
    ["a fragment with padding", `${link}=`],
    ["text glued to its end", `${link}and`],
    ["stray bits in its last character", link.replace(/.$/, "B")],
    ["a code in the fragment only", `https://mesh.example/#/i/Ab3dE6gH#${fragment}`],
  ])("%s", (_, text) => {
    expect(codeOf(() => decodeInviteLink(text))).toBe("invite_malformed");
  });

  test("a link cut anywhere", () => {
    for (let length = 0; length < link.length; length++) {
      expect(codeOf(() => decodeInviteLink(link.slice(0, length)))).toBe("invite_malformed");
    }
  });

  test("any text at all", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.webUrl({ withFragments: true })), (text) => {
        expect(codeOf(() => decodeInviteLink(text))).toBe("invite_malformed");
      }),
    );
  });
});
