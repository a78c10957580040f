/** The daemon's service as systemd knows it: a unit of this user. See systemd.unit(5), systemd.service(5), systemd.exec(5). */
import { type ServiceSpec, specLine } from "#adapters/service/spec.ts";
import { NOT_MENDED_BY_A_RESTART } from "./ending.ts";

/** Older ones complain of the settings that let the waits grow, and know none of their own. */
export const STEPS_SINCE = 254;

export function unitText(spec: ServiceSpec): string {
  return `# Made by claudemesh, which writes it anew when it is installed again; settings of your own belong into \`systemctl --user edit\`.
# ${specLine(spec)}

[Unit]
Description=claudemesh: connects the AI coding sessions of a team
# A copy that was removed, or a disk that isn't there, is no failure to try again.
ConditionFileIsExecutable=${escaped(spec.launcher)}
# Who ends again and again rests, until a verb or \`claudemesh doctor --fix\` starts it.
StartLimitIntervalSec=600
StartLimitBurst=30

[Service]
Type=exec
# By the shell that it names anyway: systemd takes no program whose path has a quotation mark.
ExecStart=/bin/sh ${quoted(spec.launcher).replaceAll("$", "$$$$")} __daemon
${Object.entries(spec.environment)
  .map(([name, value]) => `Environment=${quoted(`${name}=${value}`)}\n`)
  .join(
    "",
  )}# An end with 0 is one that was asked for, by \`claudemesh down\` or by a newer version, which then starts it again.
Restart=on-failure
# A damaged configuration and the like: it would be the same again.
RestartPreventExitStatus=${NOT_MENDED_BY_A_RESTART.join(" ")}
${waits(spec.steps)}
# It closes links and databases, and ends the broker that it brought along; 15 s at most.
KillMode=mixed
TimeoutStopSec=20

# It has a log of its own, of bounded size, without anybody's words.
StandardOutput=null
StandardError=null

# Keys are in its memory. Namespaces aren't taken away: what it starts may be a container.
LimitCORE=0
UMask=0077
NoNewPrivileges=yes
RestrictSUIDSGID=yes
RestrictRealtime=yes
LockPersonality=yes
SystemCallArchitectures=native

[Install]
WantedBy=default.target
`;
}

function waits(steps: boolean): string {
  return steps
    ? "# 1 s to begin with, a minute in the end.\nRestartSec=1\nRestartSteps=6\nRestartMaxDelaySec=60"
    : "# Each time as long: only systemd 254 can let it grow.\nRestartSec=5";
}

/** Specifiers begin with %. */
function escaped(text: string): string {
  return text.replaceAll("%", "%%");
}

function quoted(text: string): string {
  return `"${escaped(text).replace(/["\\]/g, "\\$&")}"`;
}
