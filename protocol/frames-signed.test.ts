// What a hello and a presence are bound to: no field can be changed, moved or replayed under the same signature.
import { describe, expect, test } from "vitest";
import { fixedBytes } from "#test/person.ts";
import { toBase64url } from "./bytes.ts";
import { helloInput, newNonce, presenceInput } from "./frames.ts";

const id = (name: string) => toBase64url(fixedBytes(name, 16));
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

describe("a hello's signature covers", () => {
  const nonce = newNonce((length) => fixedBytes("nonce", length));
  const hello = {
    protocol: 1,
    origin: "https://mesh.example",
    workspace: id("workspace"),
    member: id("member"),
    key: toBase64url(fixedBytes("key")),
    logId: id("log"),
    last: null,
    cursor: 5,
    labels: ["*", "chain"],
  };
  const input = hex(helloInput(nonce, hello));

  test("the nonce", () => {
    expect(
      hex(
        helloInput(
          newNonce((length) => fixedBytes("other", length)),
          hello,
        ),
      ),
    ).not.toBe(input);
  });

  test.each([
    ["the protocol", { protocol: 2 }],
    ["the protocol beyond 32 bits", { protocol: 2 ** 32 + 1 }],
    ["the broker's host", { origin: "https://evil.example" }],
    ["the broker's scheme", { origin: "http://mesh.example" }],
    ["the workspace", { workspace: id("other") }],
    ["the member", { member: id("other") }],
    ["the device's key", { key: toBase64url(fixedBytes("other")) }],
    ["the log", { logId: id("other") }],
    ["that there is no log yet", { logId: null }],
    ["the cursor", { last: null, cursor: 6 }],
    ["that there are no labels", { labels: [] }],
    ["a label more", { labels: ["*", "chain", id("topic")] }],
    ["a label less", { labels: ["*"] }],
    ["the labels' order", { labels: ["chain", "*"] }],
    ["where a label ends", { labels: ["*chain"] }],
    ["what is a cursor, what a label", { last: null, cursor: 0, labels: ["5", "*", "chain"] }],
  ])("%s", (_, change) => {
    expect(hex(helloInput(nonce, { ...hello, ...change }))).not.toBe(input);
  });
});

describe("a presence's signature covers", () => {
  const presence = { member: id("member"), dev: id("device"), counter: 3, epoch: 1, sealed: "AAAA" };
  const input = hex(presenceInput(id("workspace"), presence));

  test("the workspace", () => {
    expect(hex(presenceInput(id("other"), presence))).not.toBe(input);
  });

  test.each([
    ["the member", { member: id("other") }],
    ["the device", { dev: id("other") }],
    ["the counter", { counter: 4 }],
    ["the counter beyond 32 bits, so that none wraps around", { counter: 2 ** 32 + 3 }],
    ["the epoch", { epoch: 2 }],
    ["the epoch beyond 32 bits", { epoch: 2 ** 32 + 1 }],
    ["what is counter, what epoch", { counter: 1, epoch: 3 }],
    ["the sealed face", { sealed: "AAAB" }],
    ["that it says goodbye", { sealed: "" }],
  ])("%s", (_, change) => {
    expect(hex(presenceInput(id("workspace"), { ...presence, ...change }))).not.toBe(input);
  });
});
