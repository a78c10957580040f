/** Which of two releases came later, by the precedence of semantic versioning (semver.org, §11). */
const RELEASE = /^(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+.*)?$/;

/** False too where one of them is no version: nobody is told to give way to what can't be compared. */
export function isNewer(version: string, than: string): boolean {
  const one = RELEASE.exec(version);
  const other = RELEASE.exec(than);
  if (!one || !other) return false;
  for (const part of [1, 2, 3]) {
    const difference = Number(one[part]) - Number(other[part]);
    if (difference !== 0) return difference > 0;
  }
  return compareDrafts(one[4], other[4]) > 0;
}

/** What stands behind the dash; a release without it comes after all of its drafts. */
function compareDrafts(one: string | undefined, other: string | undefined): number {
  if (one === undefined || other === undefined)
    return Number(one === undefined) - Number(other === undefined);
  const left = one.split(".");
  const right = other.split(".");
  for (const [i, a] of left.entries()) {
    const b = right[i];
    if (b === undefined) return 1;
    const order = compareParts(a, b);
    if (order !== 0) return order;
  }
  return left.length - right.length;
}

/** Numbers by value and before words, words by their characters. */
function compareParts(a: string, b: string): number {
  const [isNumber, isAlsoNumber] = [/^\d+$/.test(a), /^\d+$/.test(b)];
  if (isNumber && isAlsoNumber) return Number(a) - Number(b);
  if (isNumber !== isAlsoNumber) return isNumber ? -1 : 1;
  return a < b ? -1 : Number(a > b);
}
