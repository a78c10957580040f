/** What a broker says over HTTP instead of an answer. */
import { z } from "zod";
import { fromErrorShape, MeshError } from "#protocol/errors.ts";

const words = z.string().max(500);
const schema = z.object({ error: z.object({ code: words, message: words, hint: words.default("") }) });

/** Only the code is believed: the words are the broker's, and come to a person's terminal. */
export function refusalOf(origin: string, status: number, body: unknown): MeshError {
  const refusal = schema.safeParse(body);
  if (refusal.success) {
    const { code, message, hint } = refusal.data.error;
    return fromErrorShape({ code, message: plain(message), hint: plain(hint) });
  }
  return new MeshError(
    "offline",
    `${origin} answered with ${status}.`,
    "Is that the address of a claudemesh broker?",
  );
}

/** Without what a terminal would obey. */
function plain(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Bidi_Control}]/gu, " ");
}
