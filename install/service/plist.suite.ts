/** A strict reader of the property lists that we write, which knows the types of launchd.plist(5). For tests. */

type Value = string | number | boolean | Value[] | { [key: string]: Value };

const strings = (value: Value) => Array.isArray(value) && value.every((one) => typeof one === "string");
const isDictionary = (value: Value) => typeof value === "object" && !Array.isArray(value);
const isBoolean = (value: Value) => typeof value === "boolean";
const isPath = (value: Value) => typeof value === "string" && value.startsWith("/");
const isCount = (value: Value) => typeof value === "number" && value >= 0;

/** Of launchd.plist(5), those that we use. */
const KEYS: Record<string, (value: Value) => boolean> = {
  Label: (value) => typeof value === "string" && /^[\w.-]+$/.test(value),
  ProgramArguments: (value) => strings(value) && Array.isArray(value) && isPath(value[0] ?? ""),
  EnvironmentVariables: (value) => isDictionary(value) && strings(Object.values(value)),
  RunAtLoad: isBoolean,
  KeepAlive: (value) =>
    isBoolean(value) ||
    (isDictionary(value) &&
      Object.entries(value).every(([key, one]) => key === "SuccessfulExit" && isBoolean(one))),
  ThrottleInterval: isCount,
  ExitTimeOut: isCount,
  ProcessType: (value) => ["Background", "Standard", "Adaptive", "Interactive"].includes(String(value)),
  Umask: isCount,
  StandardOutPath: isPath,
  StandardErrorPath: isPath,
};

const HEAD =
  /^<\?xml version="1\.0" encoding="UTF-8"\?>\n<!DOCTYPE plist PUBLIC "-\/\/Apple\/\/DTD PLIST 1\.0\/\/EN" "http:\/\/www\.apple\.com\/DTDs\/PropertyList-1\.0\.dtd">\n/;
const COMMENT = /<!--(?:(?!--).)*-->\n/g;
const TOKEN = /<(\/?)(dict|array|key|string|integer|true|false)(\/?)>|([^<]+)/y;

/** @throws Error naming what isn't as launchd takes it */
export function readPlist(text: string): Record<string, Value> {
  const [head] = HEAD.exec(text) ?? [];
  if (head === undefined) throw new Error("no head of a property list");
  const body = text.slice(head.length).replace(COMMENT, "");
  const [, inner] = /^<plist version="1\.0">\n([\s\S]*)<\/plist>\n$/.exec(body) ?? [];
  if (inner === undefined) throw new Error("no property list, or something beside it");
  const list = parse(inner);
  if (typeof list !== "object" || Array.isArray(list)) throw new Error("no dictionary");
  for (const [key, value] of Object.entries(list)) {
    const fits = KEYS[key];
    if (!fits) throw new Error(`unknown key ${key}`);
    if (!fits(value)) throw new Error(`${key} has a value of a wrong type`);
  }
  return list;
}

function parse(text: string): Value {
  const tokens = tokensOf(text);
  const next = () => tokens.shift() ?? "the end";
  const expected = (token: string) => {
    const found = next();
    if (found !== token) throw new Error(`${found} in place of ${token}`);
  };
  const characters = (tag: string) => {
    const found = tokens[0]?.startsWith("<") ? "" : next();
    expected(`</${tag}>`);
    return found.replace(/&(\w+);/g, (_, name) => ({ amp: "&", lt: "<", gt: ">" })[String(name)] ?? "?");
  };
  const value = (): Value => {
    const token = next();
    switch (token) {
      case "<true/>":
      case "<false/>":
        return token === "<true/>";
      case "<string>":
        return characters("string");
      case "<integer>":
        return Number(characters("integer"));
      case "<array>": {
        const list: Value[] = [];
        while (tokens[0] !== "</array>") list.push(value());
        next();
        return list;
      }
      case "<dict>": {
        const entries: [string, Value][] = [];
        while (tokens[0] !== "</dict>") {
          expected("<key>");
          entries.push([characters("key"), value()]);
        }
        next();
        return Object.fromEntries(entries);
      }
      default:
        throw new Error(`${token} in place of a value`);
    }
  };
  const whole = value();
  if (tokens.length > 0) throw new Error(`${tokens[0]} after the end`);
  return whole;
}

/** Tags and texts, without the white space between tags. */
function tokensOf(text: string): string[] {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const at = TOKEN.lastIndex;
    const [token] = TOKEN.exec(text) ?? [];
    if (token === undefined) throw new Error(`no property list at "${text.slice(at, at + 20)}"`);
    if (token.trim() !== "") tokens.push(token);
  }
  return tokens;
}
