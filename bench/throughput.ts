/**
 * Many messages at once through the socket, until the last is committed at the receiver, and settled at the sender. The
 * floor is what three machines would have to do one after the other: sign, commit in the broker's batches, verify, commit.
 */
import { bareWork } from "./bare-commits.ts";
import { type Bench, rateOf, until } from "./figure.ts";
import { replicaOf, withPair } from "./pair.ts";

const MESSAGES = 2000;
const ROUNDS = 3;
/** As many wait for their answer as a connection may have under way. */
const AT_ONCE = 200;
const BATCH = 50;

export const throughput: Bench = {
  name: "throughput",
  run: () =>
    withPair(async ({ alice, bob, workspace }) => {
      const client = await alice.client();
      const [near, far] = [replicaOf(alice, workspace), replicaOf(bob, workspace)];
      const bare = await bareWork();
      const said = { to: "bob", text: "x".repeat(200) };
      const send = async (count: number) => {
        const goal = far.messages() + count;
        let left = count;
        const say = async () => {
          while (left-- > 0) await client.daemon.message.send(said);
        };
        await Promise.all(Array.from({ length: AT_ONCE }, say));
        await until(() => far.messages() >= goal && near.outbox() === 0, "the last message");
      };
      const floorOf = async (count: number) => {
        for (let i = 0; i < count; i += BATCH) {
          for (let k = 0; k < BATCH; k++) await bare.sign();
          for (const _ of ["sender", "broker", "receiver"]) bare.commit(BATCH);
          for (let k = 0; k < BATCH; k++) await bare.verify();
        }
      };
      await send(AT_ONCE);
      const measured: number[] = [];
      const floor: number[] = [];
      for (let i = 0; i < ROUNDS; i++) {
        measured.push(await rateOf(MESSAGES, () => send(MESSAGES)));
        floor.push(await rateOf(MESSAGES, () => floorOf(MESSAGES)));
      }
      for (const one of [client, near, far, bare]) one.close();
      return [
        {
          name: "durable messages, end to end",
          unit: "/s",
          measured,
          floor,
          floorName: `the same signatures and commits of ${BATCH}, in one process`,
          target: "≥ 3,500 /s",
        },
      ];
    }),
};
