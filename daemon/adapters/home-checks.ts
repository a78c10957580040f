/** What can be seen of a home from outside, daemon or none: one line a check. */
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  lstatSync,
  readdirSync,
  rmSync,
  statfsSync,
  statSync,
} from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { socketFolder } from "#adapters/home.ts";
import { isNewer } from "#protocol/newer.ts";
import { bad, good, type HomeCheck, type Place, unknown } from "../doctor.ts";
import { configCheck } from "./config-check.ts";
import { databaseCheck, keyCheck } from "./database-checks.ts";

const OLDEST_NODE = "24.7.0";
const LEAST_FREE_BYTES = 200 * 1024 * 1024;
const MEGABYTE = 1024 * 1024;
/** What `writeFileAtomically` leaves behind when it is killed. */
const TEMPORARY = /\.(\d+)\.tmp$/;

const runtime: HomeCheck = {
  name: "runtime",
  look() {
    const { node } = process.versions;
    return isNewer(OLDEST_NODE, node)
      ? bad("runtime", `Node ${node} is too old.`, `Install Node ${OLDEST_NODE} or newer.`)
      : good("runtime", `Node ${node}`);
  },
};

const home: HomeCheck = {
  name: "home",
  look(place) {
    const stat = lstatSync(place.home, { throwIfNoEntry: false });
    if (!stat) return unknown("home", `${place.home} isn't there yet; \`claudemesh up\` makes it.`);
    if (stat.isSymbolicLink() || !stat.isDirectory())
      return bad("home", `${place.home} is a link or no folder.`, "Set CLAUDEMESH_HOME to the real folder.");
    if (stat.uid !== userInfo().uid)
      return bad(
        "home",
        `${place.home} belongs to another user.`,
        "Set CLAUDEMESH_HOME to a folder of your own.",
      );
    const open = openToOthers(place.home);
    return open.length > 0
      ? bad("home", `Others may look into ${open.join(", ")}.`, "claudemesh doctor --fix")
      : good("home", place.home);
  },
  repair(place) {
    return openToOthers(place.home).map((path) => {
      chmodSync(path, lstatSync(path).mode & 0o700);
      return `took ${path} from the eyes of others`;
    });
  },
};

/** Of the home, its folders and what is in them, what isn't the owner's alone. */
function openToOthers(path: string): string[] {
  const folders = [
    path,
    ...["install", "keys", "logs", "sockets", "workspaces"].map((name) => join(path, name)),
  ];
  const kept = ["install", "keys", "logs", "workspaces"].flatMap((name) => entries(join(path, name)));
  const files = ["account.db", "config.json"].map((name) => join(path, name));
  const own = userInfo().uid;
  return [...folders, ...kept, ...files].filter((one) => {
    const stat = lstatSync(one, { throwIfNoEntry: false });
    return stat && stat.uid === own && !stat.isSymbolicLink() && (stat.mode & 0o077) !== 0;
  });
}

const disk: HomeCheck = {
  name: "disk",
  look(place) {
    if (!existsSync(place.home)) return unknown("disk", "There is no home yet.");
    const { bavail, bsize } = statfsSync(place.home);
    const free = `${Math.floor((bavail * bsize) / MEGABYTE)} MB free`;
    try {
      accessSync(place.home, constants.W_OK);
    } catch {
      return bad("disk", `${place.home} can't be written.`, "Look at how it is mounted, and at its mode.");
    }
    return bavail * bsize < LEAST_FREE_BYTES
      ? bad("disk", free, "Make room on this disk.")
      : good("disk", free);
  },
};

const sockets: HomeCheck = {
  name: "sockets",
  look(place) {
    const stat = lstatSync(place.socket, { throwIfNoEntry: false });
    if (stat && !stat.isSocket())
      return bad("sockets", `${place.socket} is in the way and no socket.`, "Move it away.");
    if (place.isRunning) {
      if (!stat)
        return bad(
          "sockets",
          `The daemon's socket ${place.socket} has gone.`,
          "claudemesh doctor --fix, or end the daemon.",
        );
      return (stat.mode & 0o077) === 0
        ? good("sockets", place.socket)
        : bad("sockets", `Others may use ${place.socket}.`, "claudemesh doctor --fix");
    }
    const stale = staleSockets(place);
    return stale.length > 0
      ? bad("sockets", `No daemon is behind ${stale.join(", ")}.`, "claudemesh doctor --fix")
      : good("sockets", "none, as no daemon runs");
  },
  repair(place) {
    if (place.isRunning && isSocket(place.socket)) {
      chmodSync(place.socket, 0o600);
      return [`took ${place.socket} from the eyes of others`];
    }
    return staleSockets(place).map(removed);
  },
};

function staleSockets({ home: path, socket, isRunning }: Place): string[] {
  return isRunning ? [] : [socket, ...entries(socketFolder(path))].filter(isSocket);
}

const logs: HomeCheck = {
  name: "logs",
  look({ home: path }) {
    const folder = join(path, "logs");
    if (!existsSync(folder)) return unknown("logs", "There is no log yet.");
    if (!statSync(folder).isDirectory())
      return bad("logs", `${folder} is no folder.`, "Move it away; the daemon makes it anew.");
    accessSync(folder, constants.W_OK);
    const files = entries(folder);
    const size = files.reduce((sum, file) => sum + statSync(file).size, 0);
    return good("logs", `${(size / MEGABYTE).toFixed(1)} MB in ${folder}`);
  },
};

const leftovers: HomeCheck = {
  name: "leftovers",
  look(place) {
    const found = temporaries(place);
    return found.length > 0
      ? bad("leftovers", `Half-written files: ${found.join(", ")}.`, "claudemesh doctor --fix")
      : good("leftovers", "none");
  },
  repair: (place) => temporaries(place).map(removed),
};

/** Half-written files of processes that have ended. */
function temporaries({ home: path }: Place): string[] {
  return [path, join(path, "keys")].flatMap(entries).filter((file) => {
    const [, pid] = TEMPORARY.exec(file) ?? [];
    return pid !== undefined && !isAlive(Number(pid));
  });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

function isSocket(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true;
}

function removed(path: string): string {
  rmSync(path);
  return `removed ${path}`;
}

function entries(folder: string): string[] {
  const isFolder = statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true;
  return isFolder ? readdirSync(folder).map((name) => join(folder, name)) : [];
}

/** The order is the order in which they are shown. */
export const homeChecks: readonly HomeCheck[] = [
  runtime,
  home,
  disk,
  configCheck,
  keyCheck,
  databaseCheck,
  sockets,
  logs,
  leftovers,
];
