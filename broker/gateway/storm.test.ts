// Everybody comes at once, on real sockets.
import { expect, test } from "vitest";
import { type CrowdDevice, connectDevice, foundWorkspace } from "#test/crowd.ts";
import { listeningBroker } from "#test/listening-broker.ts";

const WORKSPACES = 10;
const DEVICES = 50;

test("500 devices that come at once are all let in, though few may be judged at a time", async () => {
  const broker = await listeningBroker({ hellosPerSecond: 250, hellosAtOnce: 4, waitingHellos: 20 });
  const crowds = await Promise.all(
    Array.from({ length: WORKSPACES }, (_, i) => foundWorkspace(broker.store, `team ${i}`, DEVICES)),
  );
  const told: number[] = [];
  let here = 0;
  const all = Promise.withResolvers<void>();
  /** However slow the machine: at first each waits for the last one, so that they do come at once. */
  const ready = () => {
    if (++here === WORKSPACES * DEVICES) all.resolve();
    return all.promise;
  };

  /** As a device's link does it: back after the time that the broker names. */
  const arrive = async (device: CrowdDevice): Promise<unknown> => {
    try {
      return await connectDevice(broker.url, device, {}, ready);
    } catch (error) {
      if (!(error instanceof Error && "retryAfterMs" in error)) throw error;
      const retryAfterMs = Number(error.retryAfterMs);
      told.push(retryAfterMs);
      await new Promise((resolve) => setTimeout(resolve, retryAfterMs));
      return arrive(device);
    }
  };

  await Promise.all(crowds.flatMap(({ devices }) => devices).map(arrive));
  const health = await (await fetch(`${broker.url}/health`)).text();
  expect(health).toContain(`"connections":${WORKSPACES * DEVICES},`);
  expect(told.length).toBeGreaterThan(0);
});
