/** What a broker says over HTTP instead of an answer. */
import { fromErrorShape, MeshError } from "#protocol/errors.ts";

export function refusalOf(origin: string, status: number, body: unknown): MeshError {
  if (typeof body === "object" && body !== null && "error" in body) {
    const { error } = body;
    if (typeof error === "object" && error !== null && "code" in error && "message" in error) {
      const hint = "hint" in error ? String(error.hint) : "";
      return fromErrorShape({ code: String(error.code), message: String(error.message), hint });
    }
  }
  return new MeshError(
    "offline",
    `${origin} answered with ${status}.`,
    "Is that the address of a claudemesh broker?",
  );
}
