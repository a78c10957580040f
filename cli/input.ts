/** What people type and pipe, checked before it goes anywhere. */
import { MeshError } from "#protocol/errors.ts";
import { LIMITS } from "#protocol/limits.ts";

const UNITS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** "10s", "500ms", "7d" → ms. @throws MeshError usage */
export function duration(text: string, flag: string): number {
  const match = text.match(/^(\d{1,9})(ms|s|m|h|d)$/);
  const ms = match ? Number(match[1]) * (UNITS[match[2] ?? ""] ?? 0) : 0;
  if (ms > 0) return ms;
  throw new MeshError("usage", `${flag} ${text} is not a time.`, "Write it like 500ms, 10s, 5m, 2h or 7d.");
}

/** @throws MeshError usage */
export function whole(text: string | boolean | undefined, flag: string): number | undefined {
  if (text === undefined) return undefined;
  if (typeof text === "string" && /^\d{1,9}$/.test(text)) return Number(text);
  throw new MeshError("usage", `${flag} ${text} is not a whole number.`, `Write it like ${flag} 10.`);
}

export function string(value: string | boolean | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** @throws MeshError usage */
export function oneOf<T extends string>(
  value: string | boolean | undefined,
  flag: string,
  allowed: readonly T[],
): T | undefined {
  if (value === undefined) return undefined;
  const found = allowed.find((one) => one === value);
  if (found) return found;
  throw new MeshError(
    "usage",
    `${flag} ${value} is not one of ${allowed.join(", ")}.`,
    `Example: ${flag} ${allowed[0]}`,
  );
}

/** The words of a message, or stdin for "-". @throws MeshError too_large, invalid_utf8, empty_text */
export async function textFrom(words: readonly string[]): Promise<string> {
  if (words.length === 1 && words[0] === "-") return readStdin();
  const text = words.join(" ");
  // Node has turned bytes of an argument that aren't UTF-8 into this sign already.
  if (text.includes("\ufffd")) throw notUtf8();
  return text;
}

function notUtf8(): MeshError {
  return new MeshError(
    "invalid_utf8",
    "The text is not valid UTF-8.",
    "Send text; share binary data as a file.",
  );
}

async function readStdin(): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of process.stdin) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    // One more byte than the limit for the newline that ends a piped text.
    if (size > LIMITS.text + 1) {
      process.stdin.destroy();
      throw new MeshError(
        "too_large",
        `The text is over the limit of ${LIMITS.text} bytes.`,
        "Split it, or share it as a file.",
      );
    }
    chunks.push(bytes);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
      .decode(Buffer.concat(chunks))
      .replace(/\r?\n$/, "");
  } catch {
    throw notUtf8();
  }
}
