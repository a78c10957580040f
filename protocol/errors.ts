/**
 * Every error that crosses a process has a name from this table. The name decides the CLI's exit code and whether
 * trying the same thing again can help; the message is for a person, the hint is the next step.
 */
export const ERRORS = {
  unexpected: { exit: 1, retry: false },
  usage: { exit: 2, retry: false },
  unknown_method: { exit: 2, retry: false },
  workspace_needed: { exit: 2, retry: false },
  session_needed: { exit: 2, retry: false },
  ambiguous: { exit: 2, retry: false },
  daemon_unreachable: { exit: 3, retry: true },
  version_skew: { exit: 3, retry: false },
  not_allowed: { exit: 4, retry: false },
  not_a_member: { exit: 4, retry: false },
  wrong_passphrase: { exit: 4, retry: false },
  slow_down: { exit: 8, retry: true },
  account_exists: { exit: 6, retry: false },
  not_registered: { exit: 4, retry: false },
  logged_out: { exit: 4, retry: false },
  device_revoked: { exit: 4, retry: false },
  bad_token: { exit: 4, retry: false },
  pairing_over: { exit: 5, retry: false },
  not_found: { exit: 5, retry: false },
  unknown_address: { exit: 5, retry: false },
  unknown_workspace: { exit: 5, retry: false },
  unknown_topic: { exit: 5, retry: false },
  conflict: { exit: 6, retry: false },
  refused: { exit: 7, retry: false },
  key_changed: { exit: 7, retry: false },
  timeout: { exit: 8, retry: true },
  offline: { exit: 8, retry: true },
  waiting_for_key: { exit: 8, retry: true },
  bad_data: { exit: 9, retry: false },
  empty_text: { exit: 9, retry: false },
  invalid_utf8: { exit: 9, retry: false },
  too_large: { exit: 9, retry: false },

  invite_malformed: { exit: 9, retry: false },
  invite_wrong_head: { exit: 9, retry: false },
  invite_bad_signature: { exit: 9, retry: false },
  invite_not_found: { exit: 5, retry: false },
  invite_revoked: { exit: 7, retry: false },
  invite_expired: { exit: 7, retry: false },
  invite_exhausted: { exit: 7, retry: false },

  bad_frame: { exit: 9, retry: false },
  bad_record: { exit: 9, retry: false },
  bad_signature: { exit: 9, retry: false },
  bad_seal: { exit: 9, retry: false },
  bad_key: { exit: 9, retry: false },
  wrong_author: { exit: 4, retry: false },
  unknown_device: { exit: 4, retry: false },
  too_old: { exit: 9, retry: false },
  not_in_topic: { exit: 4, retry: false },
  rolled_back: { exit: 6, retry: false },
  replayed: { exit: 6, retry: false },
  reordered: { exit: 6, retry: false },
  value_forked: { exit: 6, retry: false },
  not_stored: { exit: 6, retry: false },
  stale_epoch: { exit: 6, retry: true },
  chain_conflict: { exit: 6, retry: false },
  chain_invalid: { exit: 9, retry: false },
  chain_forked: { exit: 6, retry: false },
  chain_withheld: { exit: 6, retry: false },
  storage_full: { exit: 8, retry: true },
  busy: { exit: 8, retry: true },
} as const satisfies Record<string, { exit: number; retry: boolean }>;

export type ErrorCode = keyof typeof ERRORS;

/** An error as it stands on a wire. */
export type ErrorShape = { code: ErrorCode; message: string; hint: string };

export class MeshError extends Error {
  readonly code: ErrorCode;
  readonly hint: string;

  constructor(code: ErrorCode, message: string, hint = "") {
    super(message);
    this.name = "MeshError";
    this.code = code;
    this.hint = hint;
  }
}

export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code);
}

/** The one mapping at each edge: what is not ours says nothing of its inside. */
export function errorShape(error: unknown): ErrorShape {
  if (isMeshError(error)) return { code: error.code, message: error.message, hint: error.hint };
  return {
    code: "unexpected",
    message: "Something inside claudemesh went wrong.",
    hint: "See `claudemesh logs`, and please report it.",
  };
}

/** Also one of a bundle that another has loaded: it brought a class of its own along. */
function isMeshError(error: unknown): error is MeshError {
  return error instanceof MeshError || (error instanceof Error && error.name === "MeshError");
}

export function fromErrorShape(shape: { code: string; message: string; hint?: string }): MeshError {
  return new MeshError(isErrorCode(shape.code) ? shape.code : "unexpected", shape.message, shape.hint ?? "");
}
