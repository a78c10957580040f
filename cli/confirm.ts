/** Before something that can't be undone: --yes, or a person's word at a terminal. */
import { MeshError } from "#protocol/errors.ts";
import { askLine, canAsk } from "./ask.ts";
import type { Context } from "./verb.ts";

/** Resolves once it is confirmed. @throws MeshError usage where nobody can be asked, refused for a no */
export async function confirm(context: Context, what: string): Promise<void> {
  if (context.options.yes === true) return;
  if (!canAsk(context)) throw new MeshError("usage", what, "Add --yes if you mean it.");
  const answer = await askLine(`${what} Go on? [y/N] `);
  if (!/^y(es)?$/i.test(answer.trim())) throw new MeshError("refused", "Nothing was done.", "");
}
