import type { IncomingMessage } from "node:http";
import { expect, test } from "vitest";
import { addressOf } from "./address.ts";

const from = (remoteAddress: string, forwarded?: string) =>
  addressOf(
    {
      socket: { remoteAddress },
      headers: forwarded ? { "x-forwarded-for": forwarded } : {},
    } as IncomingMessage,
    new Set(["10.0.0.1"]),
  );

test("an address is the other end's own, whatever it says of itself", () => {
  expect(from("203.0.113.7")).toBe("203.0.113.7");
  expect(from("::ffff:203.0.113.7")).toBe("203.0.113.7");
  expect(from("203.0.113.7", "198.51.100.1")).toBe("203.0.113.7");
});

test("behind a proxy it is the last that the proxy names; what stands before it is anybody's word", () => {
  expect(from("127.0.0.1", "198.51.100.1")).toBe("198.51.100.1");
  expect(from("::1", "1.2.3.4, 198.51.100.1")).toBe("198.51.100.1");
  expect(from("::ffff:10.0.0.1", "198.51.100.1")).toBe("198.51.100.1");
  expect(from("127.0.0.1", "not an address")).toBe("127.0.0.1");
  expect(from("127.0.0.1")).toBe("127.0.0.1");
});

test("an address of IPv6 counts as its /64", () => {
  expect(from("2001:db8:1:2:3:4:5:6")).toBe("2001:db8:1:2::/64");
  expect(from("2001:0db8:0001:2:ffff::1")).toBe("2001:db8:1:2::/64");
  expect(from("2001:db8::1")).toBe("2001:db8:0:0::/64");
  expect(from("fe80::1%eth0")).toBe("fe80:0:0:0::/64");
});
