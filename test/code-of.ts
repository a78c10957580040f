/** Says by which named error something was refused; "accepted" when it wasn't. Any other error passes through. */
import { MeshError } from "#protocol/errors.ts";

export function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return named(error);
  }
  return "accepted";
}

export async function codeOfAsync(run: Promise<unknown>): Promise<string> {
  try {
    await run;
  } catch (error) {
    return named(error);
  }
  return "accepted";
}

function named(error: unknown): string {
  if (error instanceof MeshError) return error.code;
  throw error;
}
