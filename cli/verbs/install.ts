/** install, uninstall: Claude Code's own files on this machine */
import type { Change, Plan } from "#install/main.ts";
import { canAsk } from "../ask.ts";
import { confirm } from "../confirm.ts";
import { paint, safe } from "../print.ts";
import type { Context, Flag, Verb } from "../verb.ts";

const MOST_LINES = 80;
const NOTHING = "nothing to do";

const DRY_RUN: Flag = { type: "boolean", about: "show what would be written, and write nothing" };

const NO_SERVICE: Flag = {
  type: "boolean",
  about: "leave the service as it is, there or not; so with the next",
};

const NEXT = `Start \`claude\` as always: the session is on the mesh. Then see \`claudemesh peers\`, or tell Claude:
"ask a colleague on claudemesh whether the build is green". Sessions that run already know the hooks and the skill
within a turn, and the rest after /mcp reconnect claudemesh. All of it goes again with \`claudemesh uninstall\`.`;

const install: Verb = {
  name: "install",
  options: {
    "dry-run": DRY_RUN,
    "no-service": NO_SERVICE,
    "no-hooks": { type: "boolean", about: "hooks: they wake a session whose client has no inbox" },
    "no-skill": { type: "boolean", about: "the skill: how and when to write to others" },
    "no-mcp": { type: "boolean", about: "the MCP server, by which a session is reached" },
    "no-permissions": { type: "boolean", about: "leave to send and read without asking you" },
    "status-line": { type: "boolean", about: "show workspace, who is online and what is unread" },
  },
  summary: "every `claude` on this machine is on the mesh; shows what it writes, asks once",
  examples: ["claudemesh install", "claudemesh install --dry-run", "claudemesh install --status-line --yes"],
  local: true,
  async run(context) {
    const { planInstall, installService } = await import("#install/main.ts");
    const { options } = context;
    const wanted = {
      hooks: options["no-hooks"] !== true,
      permissions: options["no-permissions"] !== true,
      statusLine: options["status-line"] === true,
      skill: options["no-skill"] !== true,
      mcp: options["no-mcp"] !== true,
    };
    const plan = async () => {
      const service = await serviceOf(options, installService);
      return also(service, planInstall(wanted, service.steps));
    };
    await perform(context, "install", plan, NEXT);
  },
};

const uninstall: Verb = {
  name: "uninstall",
  options: { "dry-run": DRY_RUN, "no-service": NO_SERVICE },
  summary: "take out again what install wrote; your account and messages stay",
  examples: ["claudemesh uninstall", "claudemesh uninstall --dry-run"],
  local: true,
  async run(context) {
    const { planUninstall, removeService } = await import("#install/main.ts");
    const plan = async () => {
      const service = await serviceOf(context.options, removeService);
      return also(service, planUninstall(service.steps));
    };
    await perform(context, "uninstall", plan, "");
  },
};

async function serviceOf(options: Context["options"], plan: () => Promise<Plan>): Promise<Plan> {
  return options["no-service"] === true ? { steps: [], remarks: [] } : plan();
}

function also({ remarks }: Plan, plan: Plan): Plan {
  return { ...plan, remarks: [...plan.remarks, ...remarks] };
}

async function perform(
  context: Context,
  verb: string,
  make: () => Promise<Plan>,
  next: string,
): Promise<void> {
  const { carryOut, changesOf } = await import("#install/main.ts");
  const plan = await make();
  const changes = changesOf(plan);
  const said = changes.map(({ path, action, what }) => ({ path, action, what }));
  const isDry = context.options["dry-run"] === true;
  const json = { changes: said, remarks: plan.remarks, applied: !isDry };
  const remarks = plan.remarks.map((remark) => `${paint("yellow", "!")} ${safe(remark)}`);
  const words = (change: Change) => [headOf(change), ...diffOf(change)];
  if (isDry || plan.steps.length === 0) {
    const all = changes.length > 0 ? changes.flatMap(words) : [NOTHING];
    context.print(json, [...all, ...remarks].join("\n"));
    return;
  }
  const shows = canAsk(context) && context.options.yes !== true;
  if (changes.length > 0) {
    if (shows) context.note([...changes.flatMap(words), ...remarks].join("\n"));
    const count = `${changes.length} change${changes.length === 1 ? "" : "s"}`;
    await confirm(context, `${verb} has ${count} to make; --dry-run shows more.`);
  }
  await context.waiting(`${verb}ing`, carryOut(plan, make));
  const done = changes.length > 0 ? changes.map(headOf) : [NOTHING];
  const unsaid = changes.length > 0 && shows ? [] : remarks;
  context.print(json, [...done, ...unsaid, ...(next === "" ? [] : ["", next])].join("\n"));
}

const SIGNS: Readonly<Record<Change["action"], string>> = { create: "+", change: "~", remove: "-" };

function headOf({ path, action, what }: Change): string {
  return `${paint("bold", SIGNS[action])} ${safe(path)}: ${safe(what)}`;
}

function diffOf({ diff }: Change): string[] {
  const shown = diff
    .slice(0, MOST_LINES)
    .map((line) => `    ${paint(line.startsWith("+") ? "green" : "red", safe(line))}`);
  return diff.length > MOST_LINES ? [...shown, `    … and ${diff.length - MOST_LINES} more lines`] : shown;
}

export const installVerbs = [install, uninstall];
