/** How two people compare a key by reading it to each other. */

/** Groups of four hex digits of the first 16 bytes. */
export function fingerprint(bytes: Uint8Array): string {
  const hex = Array.from(bytes.subarray(0, 16), (byte) => byte.toString(16).padStart(2, "0")).join("");
  return (hex.match(/.{4}/g) ?? []).join(" ");
}
