/**
 * What one connection, device or address may cost the broker. Sizes that both sides of the wire know are in
 * protocol/limits.ts. A limit of a well-behaved device's is one that it doesn't reach; the reasons say why.
 */
const MIB = 1024 * 1024;

export const BROKER_LIMITS = {
  /** A text frame, in characters. The longest of ours, a hello with 1,000 labels, has 26,000. */
  controlFrame: 64 * 1024,
  /** A request has to be here in so many ms, head and body. The longest body, 1 MiB, takes 840 kbit/s. */
  requestMs: 10_000,
  /** Connections at once, whosever. At 16 KiB each that is 320 MiB. */
  connections: 20_000,
  /** Of one address before its hellos are judged: an office behind one address comes back all at once. */
  strangersPerAddress: 512,
  /** Of one device to one workspace: a new one, and what is left of those whose end nobody has noticed yet. */
  connectionsPerDevice: 4,

  /** A device commits what it is sent, and signs what it sends: neither goes faster than this for long. */
  framesPerSecond: 4000,
  frameBurst: 8000,
  bytesPerSecond: 8 * MIB,
  byteBurst: 32 * MIB,
  /** A chain entry costs as many frames: up to three signatures are verified for it. */
  chainEntryFrames: 20,
  /** What may come after `busy` was said: a few send windows were on their way. Of more, `busy` is being ignored. */
  ignoredFrames: 256,
  ignoredBytes: 128 * MIB,
  /** Records of one connection that wait for their commit, before the broker reads no more from it. */
  unsettledRecords: 128,
  unsettledBytes: 4 * MIB,

  /** A device's face changes at most this often. */
  presenceMs: 5000,
  /** History pages that one connection may have asked for and not been given yet. */
  waitingReads: 16,
  /** Records read at once for one connection, history or catch-up, in bytes. The first is read whatever its size. */
  pageBytes: 128 * 1024,
  /** Live frames are held back from a connection that has this much to send still. */
  pushBuffer: MIB,
  /** A connection that has this much to send still doesn't read at all. A large workspace's faces are 1 MiB. */
  buffer: 8 * MIB,
  /** Without credit for what waits for it, or any sign of life, for so long, a connection is given up. */
  stallMs: 90_000,

  /** E-mails in a day, of one workspace and to one address: enough for a team, too few for a nuisance. */
  mailsPerDay: 20,
  /** Requests to join in an hour, of one network address. */
  joinRequestsPerHour: 30,
  /** The body of one. The longest of ours has 1,300. */
  joinRequestBody: 4096,

  /** Hellos judged in a second: half a core. 5,000 devices are back 5 s after a restart. */
  hellosPerSecond: 1000,
  /** Judged at the same time: the first of each workspace waits for its chain to be read. */
  hellosAtOnce: 32,
  /** Waiting to be judged. Those beyond come back later. */
  waitingHellos: 256,
  /** Calls about accounts from one address. A device makes one in some minutes, and a few at a login. */
  accountCallsPerSecond: 30,
  accountCallBurst: 100,
  /** Bodies of those calls: what carries an account's boxes, what carries a pairing's, and the others. */
  accountBoxesBody: MIB,
  pairingBody: 80 * 1024,
  accountBody: 16 * 1024,

  /** The longest that anybody is sent away for. */
  longestBackOffMs: 30_000,
} as const;

export type BrokerLimits = { readonly [Name in keyof typeof BROKER_LIMITS]: number };
