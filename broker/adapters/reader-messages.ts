/** What goes between the store and its reading thread. A page's records travel in one buffer, handed over and not copied. */
import type { LogRecord, Selection } from "../store/store.ts";

export type ReadRequest = { id: number } & (
  | { type: "select"; workspace: string; selection: Selection }
  | { type: "history"; workspace: string; label: string; before: number; limit: number; maxBytes: number }
);

/** `numbers` has sequence, time and length of each record, in turn. */
export type Page = { numbers: Float64Array<ArrayBuffer>; bytes: Uint8Array<ArrayBuffer>; through: number };

export type ReadAnswer = { id: number } & ({ page: Page } | { error: string });

export function packPage(records: readonly LogRecord[], through: number): Page {
  const numbers = new Float64Array(records.length * 3);
  const bytes = new Uint8Array(records.reduce((sum, record) => sum + record.bytes.length, 0));
  let offset = 0;
  for (const [i, record] of records.entries()) {
    numbers.set([record.seq, record.at, record.bytes.length], i * 3);
    bytes.set(record.bytes, offset);
    offset += record.bytes.length;
  }
  return { numbers, bytes, through };
}

export function unpackPage({ numbers, bytes }: Page): LogRecord[] {
  let offset = 0;
  return Array.from({ length: numbers.length / 3 }, (_, i) => {
    const [seq = 0, at = 0, length = 0] = numbers.subarray(i * 3, i * 3 + 3);
    offset += length;
    return { seq, at, bytes: bytes.subarray(offset - length, offset) };
  });
}
