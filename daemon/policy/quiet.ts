/** Quiet hours, by the machine's own clock and time zone. */

import type { MessageEvent } from "#protocol/features/message.ts";
import { type QuietHours, WEEKDAYS } from "#protocol/features/policy.ts";

/** When the first of them that goes on at `at` ends, in ms; null where it isn't quiet for such a message. */
export function quietUntil(
  hours: readonly QuietHours[],
  at: number,
  priority: MessageEvent["priority"],
): number | null {
  for (const one of hours) {
    if (one.urgent === "accept" && priority === "now") continue;
    // Those that began yesterday may go on.
    for (const daysAgo of [0, 1]) {
      const end = endOf(one, at, daysAgo);
      if (end !== null) return end;
    }
  }
  return null;
}

/** Of those that began so many days before `at`; null where they don't go on then. */
function endOf({ from, to, days }: QuietHours, at: number, daysAgo: number): number | null {
  const begin = clockOn(at, -daysAgo, from);
  const weekday = WEEKDAYS[begin.getDay()];
  if (days && weekday && !days.includes(weekday)) return null;
  const sameDay = clockOn(at, -daysAgo, to);
  const end = sameDay > begin ? sameDay : clockOn(at, 1 - daysAgo, to);
  return begin.getTime() <= at && at < end.getTime() ? end.getTime() : null;
}

/** The calendar and not a count of hours: days on which the clock is changed have more or fewer. */
function clockOn(at: number, days: number, time: string): Date {
  const [hour = 0, minute = 0] = time.split(":").map(Number);
  const day = new Date(at);
  return new Date(day.getFullYear(), day.getMonth(), day.getDate() + days, hour, minute);
}

/** The beginning of the day that is so many after that of `at`. */
export function midnight(at: number, days = 0): number {
  return clockOn(at, days, "0:00").getTime();
}
