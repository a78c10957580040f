/** What a broker tells of itself in numbers. Kinds are words of ours, never anybody's id or name. */

/** Counted since the start; `by` names what the kinds are. */
export const COUNTERS = {
  hellos: {
    help: "Hellos, by the standing that they were given or the code that they were refused with.",
    by: "outcome",
  },
  committed_records: { help: "Records committed." },
  refused_records: { help: "Records refused.", by: "code" },
  pushed_records: { help: "Records sent to devices, live or by catch-up." },
  presence_frames: { help: "Faces that devices have shown, and goodbyes." },
  received_bytes: { help: "Bytes of frames that came in." },
  sent_bytes: { help: "Bytes of frames that went out." },
  mails: { help: "E-mails that were asked for, by what became of them.", by: "outcome" },
  join_requests: {
    help: "Requests to join by an invite that was mailed, by what became of them.",
    by: "outcome",
  },
  logins: { help: "Tries to log in, by what was right or the code of the refusal.", by: "outcome" },
  registrations: { help: "Accounts registered, and those that were there already.", by: "outcome" },
  refreshes: {
    help: "Refresh tokens shown: renewed, reused (its device was logged out), or over.",
    by: "outcome",
  },
  limited: { help: "Connections and requests that went beyond a limit.", by: "limit" },
} as const satisfies Record<string, { help: string; by?: string }>;

/** Looked at when somebody asks. */
export const GAUGES = {
  connections: "WebSockets that are open.",
  lagging_connections: "Connections that have to catch up.",
  open_workspaces: "Workspaces that somebody is connected to.",
  waiting_records: "Records that wait for their commit.",
} as const satisfies Record<string, string>;

export type CounterName = keyof typeof COUNTERS;
export type Gauges = Record<keyof typeof GAUGES, number>;

export type Metrics = {
  count(name: CounterName, amount?: number, kind?: string): void;
  /** One commit: how many records it had, and how long it took, in seconds. */
  committed(records: number, seconds: number): void;
  /** Where to look at the gauges. */
  watch(look: () => Gauges): void;
  /** All of it in Prometheus' text format; null where nothing is counted. */
  text(): Promise<{ type: string; body: string } | null>;
};

export const noMetrics: Metrics = {
  count() {},
  committed() {},
  watch() {},
  text: async () => null,
};
