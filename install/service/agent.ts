/** The daemon's service as launchd knows it: an agent of this user. See launchd.plist(5). */
import { type ServiceSpec, specLine } from "#adapters/service/spec.ts";

type Value = string | number | boolean | readonly string[] | { readonly [key: string]: Value };

export function agentText(name: string, spec: ServiceSpec): string {
  const agent: Value = {
    Label: name,
    ProgramArguments: [spec.launcher, "__daemon"],
    EnvironmentVariables: spec.environment,
    RunAtLoad: true,
    // An end with 0 is one that was asked for, by `claudemesh down` or by a newer version, which then starts it again.
    KeepAlive: { SuccessfulExit: false },
    // Between two starts, and less than a verb waits. launchd can't let it grow, and doesn't know which ends are the same again.
    ThrottleInterval: 10,
    // It closes links and databases: 15 s at most.
    ExitTimeOut: 20,
    ProcessType: "Standard",
    Umask: 0o077,
    // It has a log of its own, of bounded size, without anybody's words.
    StandardOutPath: "/dev/null",
    StandardErrorPath: "/dev/null",
  };
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<!-- Made by claudemesh, which writes it anew when it is installed again. -->
<!-- ${specLine(spec)} -->
<plist version="1.0">
${xml(agent, "")}
</plist>
`;
}

function xml(value: Value, indent: string): string {
  if (typeof value === "string") return `${indent}<string>${escaped(value)}</string>`;
  if (typeof value === "number") return `${indent}<integer>${value}</integer>`;
  if (typeof value === "boolean") return `${indent}<${value}/>`;
  const inner = `${indent}  `;
  if (isList(value))
    return block(
      "array",
      indent,
      value.map((one) => xml(one, inner)),
    );
  const entries = Object.entries(value).map(
    ([key, one]) => `${inner}<key>${escaped(key)}</key>\n${xml(one, inner)}`,
  );
  return block("dict", indent, entries);
}

function isList(value: Value): value is readonly string[] {
  return Array.isArray(value);
}

function block(tag: string, indent: string, lines: readonly string[]): string {
  return [`${indent}<${tag}>`, ...lines, `${indent}</${tag}>`].join("\n");
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
