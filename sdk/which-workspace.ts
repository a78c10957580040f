/** The rule which workspace a verb means that names none. */
import { MeshError } from "#protocol/errors.ts";

/** Everybody's own, for notes to oneself. */
export const PERSONAL = "personal";

type Candidate = { slug: string; used: boolean; workspace: unknown };

/** The workspace for notes to oneself is there as long as the account. @throws MeshError refused */
export function requireShared({ slug }: Pick<Candidate, "slug">, but: string): void {
  if (slug !== PERSONAL) return;
  throw new MeshError(
    "refused",
    `The workspace "${PERSONAL}" is for your notes, and ${but}.`,
    "See `claudemesh workspace list` for others.",
  );
}

/** The one in use, else the only one besides `personal`, else the only one where the address resolves. */
export function choose<T extends Candidate>(
  workspaces: readonly T[],
  resolves?: (workspace: T["workspace"]) => unknown,
): T {
  const used = workspaces.find((opened) => opened.used);
  if (used) return used;
  const shared = workspaces.filter(({ slug }) => slug !== PERSONAL);
  const candidates = shared.length > 0 ? shared : workspaces;
  const [only, another] = candidates;
  if (only && !another) return only;
  const fitting = resolves ? candidates.filter(({ workspace }) => doesResolve(workspace, resolves)) : [];
  const [fit, alsoFits] = fitting;
  if (fit && !alsoFits) return fit;
  const slugs = candidates.map(({ slug }) => slug).join(", ");
  throw new MeshError(
    "workspace_needed",
    slugs === "" ? "You are in no workspace yet." : `Which workspace? There are ${slugs}.`,
    slugs === ""
      ? "claudemesh workspace create NAME"
      : "Add --workspace NAME, or choose one: claudemesh workspace use NAME",
  );
}

function doesResolve<W>(workspace: W, resolves: (workspace: W) => unknown): boolean {
  try {
    resolves(workspace);
    return true;
  } catch {
    return false;
  }
}
