/** Sizes that both sides of a wire agree on, in bytes unless the name says otherwise. */
export const LIMITS = {
  /** A message's text, in UTF-8. */
  text: 256 * 1024,
  /** A record's header JSON. */
  header: 2048,
  /** A record with header, signature and body. A text of nothing but control characters grows six-fold in JSON. */
  record: 2 * 1024 * 1024,
  /** One WebSocket frame: a record and its outer JSON. */
  frame: 2 * 1024 * 1024 + 8192,
  /** One frame on the daemon's socket. */
  socketFrame: 2 * 1024 * 1024,
  /** One frame on it before the hello, which is short. */
  socketHello: 4096,
  /** Levels of objects and arrays in a frame on it. */
  socketDepth: 64,
  /** Records a device may have sent without an acknowledgement. */
  sendWindow: 64,
  /** Records and bytes the broker may have pushed without `received`. */
  pushRecords: 256,
  pushBytes: 1024 * 1024,
  /** A device's sealed presence. */
  presence: 1024,
  /** A signal's sealed content. */
  signal: 64 * 1024,
  /** Devices in one `faces`. */
  faces: 50,
  /** Devices in a workspace from which on presence is only told when asked for. */
  presencePush: 200,
  /** Messages in one `message.read`. */
  readsAtOnce: 500,
  /** Members whom one may have blocked at the broker. */
  blocks: 500,
  /** Requests to join by one invite that may wait at once. */
  joinRequests: 20,
  /** Days after which one that nobody answered is forgotten. */
  joinRequestDays: 7,
  /** Records in one `page`. */
  page: 200,
  /** Labels one connection may be subscribed to. */
  labels: 1000,
  /** Devices between one and the root: each paired the next. */
  pairings: 4,
  /** Devices that one entry revokes. */
  revokedDevices: 100,
  /** Days the broker remembers a record's id; an older id is refused rather than taken twice. */
  idDays: 30,
} as const;
