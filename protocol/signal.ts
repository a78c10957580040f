/** What a signal carries, sealed: something told, or a question and its answer. */
import { z } from "zod";
import * as approval from "./features/approval.ts";
import * as member from "./features/member.ts";
import * as message from "./features/message.ts";

/** Kind → schema of what is told to all who follow a label. */
export const signals = { ...message.signals };

/** Kind → schema of what one device asks another. */
export const questions = { ...approval.questions, ...member.questions };

const told = z.union(Object.values(signals));
const question = z.union(Object.values(questions));
const questionId = z.int().min(1);

export const content = z.discriminatedUnion("type", [
  z.object({ type: z.literal("tell"), told }),
  z.object({ type: z.literal("ask"), id: questionId, question }),
  z.object({ type: z.literal("answer"), id: questionId, result: z.unknown() }),
  z.object({
    type: z.literal("failed"),
    id: questionId,
    error: z.object({ code: z.string(), message: z.string(), hint: z.string() }),
  }),
]);

export type Content = z.infer<typeof content>;
export type Told = z.infer<typeof told>;
export type Question = z.infer<typeof question>;
