/** Before something that can't be undone: --yes, or a person's word at a terminal. */
import { MeshError } from "#protocol/errors.ts";
import type { Context } from "./verb.ts";

/** Resolves once it is confirmed. @throws MeshError usage where nobody can be asked, refused for a no */
export async function confirm({ options, json }: Context, what: string): Promise<void> {
  if (options.yes === true) return;
  if (json || !process.stdin.isTTY || !process.stderr.isTTY)
    throw new MeshError("usage", what, "Add --yes if you mean it.");
  const { createInterface } = await import("node:readline/promises");
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await terminal.question(`${what} Go on? [y/N] `);
  terminal.close();
  if (!/^y(es)?$/i.test(answer.trim())) throw new MeshError("refused", "Nothing was done.", "");
}
