import { expect, test } from "vitest";
import type { QuietHours } from "#protocol/features/policy.ts";
import { midnight, quietUntil } from "./quiet.ts";

const night: QuietHours = { from: "22:00", to: "07:00", urgent: "hold" };
/** In local time; the second of March 2026 is a Monday. */
const on = (day: number, time: string) =>
  new Date(`2026-03-${String(day).padStart(2, "0")}T${time}`).getTime();

test("hours over midnight go on the next morning", () => {
  expect(quietUntil([night], on(2, "21:59"), "next")).toBeNull();
  expect(quietUntil([night], on(2, "22:00"), "next")).toBe(on(3, "07:00"));
  expect(quietUntil([night], on(3, "06:59"), "next")).toBe(on(3, "07:00"));
  expect(quietUntil([night], on(3, "07:00"), "next")).toBeNull();
});

test("days are those on which they begin", () => {
  const friday: QuietHours = { ...night, days: ["fri"] };
  expect(quietUntil([friday], on(6, "23:00"), "next")).toBe(on(7, "07:00"));
  expect(quietUntil([friday], on(7, "06:00"), "next")).toBe(on(7, "07:00"));
  expect(quietUntil([friday], on(7, "23:00"), "next")).toBeNull();
});

test("from and to the same is the whole day", () => {
  expect(quietUntil([{ ...night, to: "22:00" }], on(2, "12:00"), "next")).toBe(on(2, "22:00"));
});

test("what is urgent comes through where they say so, and only there", () => {
  expect(quietUntil([night], on(2, "23:00"), "now")).not.toBeNull();
  expect(quietUntil([{ ...night, urgent: "accept" }], on(2, "23:00"), "now")).toBeNull();
  expect(quietUntil([{ ...night, urgent: "accept" }], on(2, "23:00"), "next")).not.toBeNull();
});

test("a day ends at midnight, however long it was", () => {
  expect(midnight(on(2, "15:30"))).toBe(on(2, "00:00"));
  expect(midnight(on(31, "15:30"), 1)).toBe(new Date("2026-04-01T00:00").getTime());
});
