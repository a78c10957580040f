/** This package's version, as the build bakes it in. */
import manifest from "#package.json" with { type: "json" };

export const VERSION: string = manifest.version;
