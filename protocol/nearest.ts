/** The names nearest to one that wasn't found, for "did you mean". */
import { distance } from "fastest-levenshtein";

export function nearest(wanted: string, names: Iterable<string>, count = 3): string[] {
  return [...names]
    .map((name) => ({ name, away: distance(wanted.toLowerCase(), name.toLowerCase()) }))
    .filter(({ name, away }) => away <= Math.max(2, Math.ceil(name.length / 3)))
    .sort((a, b) => a.away - b.away || a.name.localeCompare(b.name))
    .slice(0, count)
    .map(({ name }) => name);
}

/** "Did you mean a, b or c?", or `otherwise` where nothing is near. */
export function didYouMean(wanted: string, names: Iterable<string>, otherwise: string): string {
  const found = nearest(wanted, names);
  if (found.length === 0) return otherwise;
  const last = found.pop();
  return `Did you mean ${found.length > 0 ? `${found.join(", ")} or ${last}` : last}?`;
}
