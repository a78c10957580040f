/** The wire's version: part of every derivation and signature, and the first thing both sides compare. */
export const PROTOCOL_VERSION = 1;

/** Prefix of every HKDF info and every signature input, so no bytes of one purpose or version pass for another's. */
export const DOMAIN = `claudemesh/${PROTOCOL_VERSION}/`;
