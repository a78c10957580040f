/**
 * Keeps the account document the same here and at the home broker: a long poll brings what other machines write, and what is
 * written here goes there by compare-and-set, merged with what came first.
 */
import {
  type AccountDocument,
  documentHash,
  openDocument,
  sealDocument,
} from "#protocol/account/document.ts";
import { documentKey } from "#protocol/account/keys.ts";
import { MeshError } from "#protocol/errors.ts";
import type { Database } from "#protocol/ports.ts";
import type { PeerPorts } from "../ports.ts";
import { createWorker } from "../worker.ts";
import { currentSeed } from "./account.ts";
import type { HomeLink } from "./home.ts";
import type { Person } from "./person.ts";

export type AccountSync = {
  start(): void;
  stop(): void;
  /** Both sides have the same once it resolves. @throws MeshError offline, logged_out, … */
  settle(): Promise<void>;
  /**
   * Replaces the document together with something else: `make` answers the sealed one, once the broker has it, and is asked
   * again where another machine was faster. @throws MeshError conflict, and what `make` throws
   */
  replace<T>(
    make: (
      next: Pick<AccountDocument, "version" | "before" | "entries">,
    ) => Promise<{ box: string; result: T }>,
  ): Promise<T>;
  /** Why they may differ: shown, and cleared when it passes. */
  trouble(): MeshError | null;
};

type Owner = {
  ports: Pick<PeerPorts, "clock" | "timers" | "random" | "log">;
  database: Database;
  person: Person;
  /** Something is new here. */
  merged(): Promise<void>;
  /** The document is sealed under a seed that isn't here: true once it is. */
  fetchSeed(link: HomeLink): Promise<boolean>;
};

const POLL_MS = 25_000;
/** From one poll to the next at least, too: a broker that answers at once isn't asked without end. */
const SHORTEST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;
/** Two machines that write at once take turns; more than this is no coincidence. */
const TURNS = 10;

export function createAccountSync({ ports, database, person, merged, fetchSeed }: Owner): AccountSync {
  let isRunning = false;
  /** A loop of an earlier start ends when it sees that it isn't this one. */
  let life = 0;
  let trouble: MeshError | null = null;
  /** What a broker did once isn't undone by what it does next. */
  let noticed: MeshError | null = null;

  const known = () => {
    const row = database.sql("SELECT document_version, document_hash FROM account").get();
    return {
      version: Number(row?.document_version ?? 0),
      hash: row?.document_hash ? String(row.document_hash) : null,
    };
  };
  const know = (version: number, box: string) =>
    database
      .sql("UPDATE account SET document_version = ?, document_hash = ?")
      .run(version, documentHash(box));

  const key = () => {
    const account = person.account();
    const seed = currentSeed(account);
    return documentKey(seed.secret, account.user, seed.number);
  };

  const opened = async (link: HomeLink, box: string) => {
    try {
      return openDocument(key(), box);
    } catch (error) {
      if (!(await fetchSeed(link))) throw error;
      return openDocument(key(), box);
    }
  };

  /**
   * Takes in what the broker has. What is sealed under our seed is our own, old or new, and merging it harms nothing: an
   * older one, or another than we knew, is told of and brought up to date.
   */
  const absorb = async (link: HomeLink, { version, box }: { version: number; box: string }) => {
    const before = known();
    if (version === before.version && (version === 0 || documentHash(box) === before.hash)) return;
    const document = version === 0 ? null : await opened(link, box);
    const follows = version === before.version + 1 ? document?.before === before.hash : true;
    if (version <= before.version || document?.version !== version || !follows) {
      noticed = rolledBack();
      ports.log.warn({ code: noticed.code }, "the account document went back");
    }
    const isNew = document !== null && person.document.merge(document.entries);
    know(version, box);
    isWritten = document !== null && sameEntries(document.entries);
    if (isNew) await merged();
  };

  /** Whether the broker has all that is here. */
  let isWritten = false;
  const sameEntries = (entries: readonly unknown[]) =>
    JSON.stringify(entries) === JSON.stringify(person.document.entries());

  const pull = async (link: HomeLink, waitMs: number) =>
    absorb(link, await link.ask("document", { after: known().version, waitMs }, waitMs));

  const push = async (link: HomeLink): Promise<void> => {
    for (let turn = 0; turn < TURNS && !isWritten; turn++) {
      const { version, hash } = known();
      const entries = person.document.entries();
      const next = version + 1;
      const box = sealDocument(
        key(),
        { type: "document", version: next, before: hash, entries },
        ports.random,
      );
      try {
        await link.ask("keepDocument", { version: next, box });
        know(next, box);
        isWritten = sameEntries(entries);
      } catch (error) {
        if (!(error instanceof MeshError) || error.code !== "conflict") throw error;
        await pull(link, 0);
      }
    }
  };

  /** One at a time touches the document and its version. */
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = turn.then(work);
    turn = result.catch(() => {});
    return result;
  };

  const settle = async () => {
    const link = person.homeLink();
    if (!link) return;
    await inTurn(async () => {
      await pull(link, 0);
      await push(link);
    });
  };

  const replace: AccountSync["replace"] = (make) =>
    inTurn(async () => {
      const link = person.homeLink();
      if (!link) throw new Error("an account without a home has no document to replace");
      for (let turn = 1; ; turn++) {
        await pull(link, 0);
        const { version, hash } = known();
        try {
          const entries = person.document.entries();
          const { box, result } = await make({ version: version + 1, before: hash, entries });
          know(version + 1, box);
          isWritten = sameEntries(entries);
          return result;
        } catch (error) {
          if (!(error instanceof MeshError) || error.code !== "conflict" || turn === TURNS) throw error;
        }
      }
    });

  const failed = (error: unknown) => {
    trouble = error instanceof MeshError ? error : new MeshError("unexpected", String(error), "");
    ports.log.warn({ code: trouble.code }, "the account document is not in step");
  };

  const rest = (ms: number) => new Promise<void>((resolve) => ports.timers.after(ms, resolve));
  /** Half of it to one and a half. */
  const jittered = (ms: number) => ms * (0.5 + (ports.random(1)[0] ?? 0) / 256);

  let writePause = SHORTEST_PAUSE_MS;
  const write = createWorker(
    async () => {
      if (!isRunning || person.isLoggedOut()) return;
      await settle();
      trouble = null;
      writePause = SHORTEST_PAUSE_MS;
    },
    (error) => {
      failed(error);
      if (trouble && isLasting(trouble)) return;
      // The poll may lie there for long before it comes to writing.
      ports.timers.after(jittered(writePause), write);
      writePause = Math.min(LONGEST_PAUSE_MS, writePause * 2);
    },
  );
  person.document.listen(() => {
    // While nothing runs, too: `settle` or the next start brings it there.
    isWritten = false;
    write();
  });

  const loop = async (own: number) => {
    let pause = SHORTEST_PAUSE_MS;
    // At first, and after a failure, what is here may have to go there: nothing is waited for.
    let waitMs = 0;
    while (life === own) {
      const link = person.isLoggedOut() ? null : person.homeLink();
      if (!link) return;
      const nextAt = ports.clock.now() + SHORTEST_PAUSE_MS;
      try {
        const after = known().version;
        const answer = await link.ask("document", { after, waitMs }, waitMs);
        if (life !== own) return;
        // What was written meanwhile has overtaken it: then it is older, and no lie.
        await inTurn(async () => (known().version === after ? absorb(link, answer) : undefined));
        await inTurn(() => push(link));
        trouble = null;
        pause = SHORTEST_PAUSE_MS;
        const early = nextAt - ports.clock.now();
        if (early > 0 && waitMs > 0) await rest(early);
        waitMs = POLL_MS;
      } catch (error) {
        if (life !== own) return;
        failed(error);
        if (trouble && isLasting(trouble)) return;
        await rest(jittered(pause));
        pause = Math.min(LONGEST_PAUSE_MS, pause * 2);
        waitMs = 0;
      }
    }
  };

  return {
    start() {
      isRunning = true;
      trouble = null;
      loop(++life);
    },
    stop() {
      isRunning = false;
      life++;
    },
    settle,
    replace,
    trouble: () => noticed ?? trouble,
  };
}

/** Trying again changes nothing: the person has to do something. */
function isLasting({ code }: MeshError): boolean {
  return code === "logged_out" || code === "device_revoked" || code === "bad_token";
}

function rolledBack(): MeshError {
  return new MeshError(
    "rolled_back",
    "The home broker gave an older account document, or another one, than it had before.",
    "If it was restored from a backup, your machines bring it up to date; else don't trust it.",
  );
}
