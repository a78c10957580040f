/**
 * Padmé (Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and Communication with PURBs", 2019):
 * a length shows only O(log log n) bits of itself and grows by at most 12 %.
 */
const MINIMUM = 256;

/** The padded length for `length` bytes of content. */
export function padme(length: number): number {
  if (length <= MINIMUM) return MINIMUM;
  const exponent = Math.floor(Math.log2(length));
  const kept = Math.floor(Math.log2(exponent)) + 1;
  const step = 2 ** (exponent - kept);
  return Math.ceil(length / step) * step;
}
