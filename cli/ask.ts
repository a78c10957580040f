/** Questions to a person at a terminal. What is typed as a secret isn't shown. */
import { readFileSync } from "node:fs";
import { MeshError } from "#protocol/errors.ts";
import type { Context } from "./verb.ts";

const MOST_SECRET_CHARACTERS = 1000;

export function canAsk({ json }: Pick<Context, "json">): boolean {
  return !json && process.stdin.isTTY === true && process.stderr.isTTY === true;
}

export async function askLine(question: string): Promise<string> {
  return ask(question, process.stderr);
}

/** Without an echo. */
export async function askSecret(question: string): Promise<string> {
  const { Writable } = await import("node:stream");
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const answer = await ask("", nowhere, () => process.stderr.write(question));
  process.stderr.write("\n");
  return answer;
}

/** `ready`: the terminal shows nothing of what is typed from now on, but through `output`. */
async function ask(question: string, output: NodeJS.WritableStream, ready = () => {}): Promise<string> {
  // Few verbs ask: the others don't wait for it to be loaded.
  const { createInterface } = await import("node:readline/promises");
  const terminal = createInterface({ input: process.stdin, output, terminal: true });
  try {
    // Not before: whoever answers at once would see it.
    ready();
    return await new Promise<string>((resolve, reject) => {
      terminal.once("close", () => reject(new MeshError("refused", "Nothing was done.", "")));
      terminal.question(question).then(resolve, reject);
    });
  } finally {
    terminal.close();
  }
}

/** The first line of a file that holds a secret. @throws MeshError bad_data */
export function secretIn(path: string): string {
  let text: string;
  try {
    // "-" is standard input, as everywhere.
    text = readFileSync(path === "-" ? 0 : path, "utf8");
  } catch (error) {
    const why = error instanceof Error && "code" in error ? String(error.code) : String(error);
    throw new MeshError("bad_data", `${path} can't be read: ${why}.`, "Give a file that holds nothing else.");
  }
  const secret = (text.split(/\r?\n/)[0] ?? "").trim();
  if (secret !== "" && secret.length <= MOST_SECRET_CHARACTERS) return secret;
  throw new MeshError("bad_data", `There is no secret in the first line of ${path}.`, "Put it there, alone.");
}
