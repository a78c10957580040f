/** How things look in a terminal. Colours only there, and never against NO_COLOR. */
import { stripVTControlCharacters, styleText } from "node:util";
import type { KeyChanged } from "#protocol/features/member.ts";
import type { Message } from "#protocol/features/message.ts";
import type { Notice } from "#protocol/features/notice.ts";

type Style = Parameters<typeof styleText>[0];

export function paint(style: Style, text: string): string {
  return process.stdout.isTTY && !process.env.NO_COLOR ? styleText(style, text) : text;
}

/** Columns as wide as their widest cell. */
export function table(rows: readonly (readonly string[])[]): string {
  // Colours take no room.
  const widthOf = (cell: string) => stripVTControlCharacters(cell).length;
  const widths: number[] = [];
  for (const row of rows)
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, widthOf(cell));
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell + " ".repeat((widths[i] ?? 0) - widthOf(cell)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** What came from a peer, without what a terminal would obey: control characters and direction overrides. */
export function safe(text: string): string {
  return text.replace(/[\p{Cc}\p{Bidi_Control}]/gu, (sign) =>
    sign === "\n" || sign === "\t" ? sign : "\ufffd",
  );
}

/** Who is there, and who isn't. */
export function dot(online: boolean): string {
  return online ? paint("green", "●") : "○";
}

export function clock(iso: string): string {
  return new Date(iso).toTimeString().slice(0, 8);
}

/** Apart from messages: nobody has said it. */
export function noticeLine({ workspace, at, text, read }: Notice): string {
  return `${read ? " " : "•"} ${paint("dim", clock(at))} ${paint("yellow", "*")} ${safe(text)} ${paint("dim", `[${workspace}]`)}`;
}

/** Behind a name: whether its key was compared. */
export function verifiedMark({ verified }: { verified: boolean }): string {
  return verified ? paint("green", " ✓") : "";
}

/** Below the line of somebody who has come in another's place; nothing else. */
export function keyWarning({ keyChanged }: { keyChanged: KeyChanged | null }): string[] {
  if (!keyChanged) return [];
  const { name, verified } = keyChanged;
  return [
    `    ${paint("red", `! another key than the ${safe(name)} that you ${verified ? "verified" : "knew"}`)}`,
  ];
}

export function messageLine(message: Message): string {
  const { id, from, to, text, replyTo, sentAt, read, possiblyShown, held } = message;
  const mark = read ? " " : "•";
  const shown = possiblyShown ? paint("yellow", " possibly shown to a session already") : "";
  const kept = held === null ? [] : [`    ${paint("yellow", `held: ${safe(held)}`)}`];
  const reply = replyTo ? paint("dim", ` ↩ ${replyTo.slice(-8)}`) : "";
  const head = `${mark} ${paint("dim", clock(sentAt))} ${paint("cyan", safe(from.address))}${verifiedMark(from)} → ${safe(to)} ${paint("dim", `(${id.slice(-8)})`)}${reply}${shown}`;
  const body = safe(text)
    .split("\n")
    .map((line) => `    ${line}`)
    .join("\n");
  return [head, ...keyWarning(from), ...kept, body].join("\n");
}
