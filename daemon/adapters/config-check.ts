/** Is the configuration whole? A damaged one is moved aside, and what can still be read of it kept. */
import { renameSync } from "node:fs";
import { type Config, mergeConfig, parseConfig, salvageConfig } from "../config.ts";
import { bad, good, type HomeCheck, type Place, unknown } from "../doctor.ts";
import { configPath, readConfigFile, writeConfigFile } from "./config-file.ts";
import { embeddedPort } from "./database-checks.ts";
import { ownName } from "./own-name.ts";

export const configCheck: HomeCheck = {
  name: "config",
  look({ home }) {
    const path = configPath(home);
    try {
      const text = readConfigFile(home);
      if (text === null) return unknown("config", "There is none yet: `claudemesh up` writes it.");
      parseConfig(text);
      return good("config", path);
    } catch (error) {
      return bad(
        "config",
        `${path} can't be read: ${error instanceof Error ? error.message : error}`,
        "claudemesh doctor --fix moves it aside and keeps what can still be read of it.",
      );
    }
  },
  repair(place) {
    const path = configPath(place.home);
    const aside = `${path}.damaged-${process.pid}`;
    const kept = salvaged(place, readConfigFile(place.home) ?? "");
    renameSync(path, aside);
    writeConfigFile(place.home, kept);
    const { name, broker, port } = kept;
    return [
      `moved ${path} to ${aside}; what is set now: name ${name}, broker ${broker ?? "none but the embedded one"}, port ${port ?? "a free one"}`,
    ];
  },
};

function salvaged({ home }: Place, text: string): Config {
  const found = salvageConfig(text);
  // Links to the embedded broker carry its port: the account knows it too.
  return mergeConfig(null, { ...found, port: found.port ?? embeddedPort(home) }, ownName());
}
