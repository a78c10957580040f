/** What all entries of a transcript have in common, whoever reads them: lines of JSON whose shape is the client's own. */

export type Fields = Record<string, unknown>;

/** Null for what is damaged, or no object. */
export function parseEntry(line: string): Fields | null {
  try {
    const entry: unknown = JSON.parse(line);
    return isFields(entry) ? entry : null;
  } catch {
    return null;
  }
}

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Of a message's content: a text, or parts of which some are texts. */
export function wordsIn(content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  const texts = content.map((part) => (isFields(part) && part.type === "text" ? part.text : part));
  return texts.filter((text) => typeof text === "string").join("\n");
}

/** Which model says it. The client's own words stand there as a model's called "<synthetic>". */
export function modelOf({ model }: Fields): string | null {
  return typeof model === "string" && model !== "" && !model.startsWith("<") ? model : null;
}
