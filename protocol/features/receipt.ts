/** Receipts: what became of messages, from the receiver's daemon to the sender's. */
import { z } from "zod";
import { recordId } from "../schema.ts";

export const receiptState = z.enum([
  "delivered",
  "handed over",
  "seen",
  "answered",
  "held",
  "refused",
  "expired",
]);

export const events = {
  /** To whoever sent the messages. */
  receipt: z.object({
    kind: z.literal("receipt"),
    states: z
      .array(
        z.object({
          id: recordId,
          state: receiptState,
          at: z.int().min(0),
          detail: z.string().max(500).optional(),
        }),
      )
      .max(1000),
  }),
};

export type ReceiptState = z.infer<typeof receiptState>;
