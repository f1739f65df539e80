// What was found out, kept in a folder, so that a run can be done in pieces.
import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Stop } from "./run.mjs";

export class Kept {
  #path;
  #results = {};

  /** Goes on with what is in `folder`, if it was found out about this very code. */
  constructor(folder) {
    this.#path = join(folder, "results.json");
    const code = fingerprint(["dist", "python", "test/python"]);
    if (existsSync(this.#path)) this.#results = JSON.parse(readFileSync(this.#path, "utf8"));
    this.#results.code ??= code;
    if (this.#results.code === code) return;
    throw new Stop(`${folder} was kept for another state of the code. Give --keep an empty folder.`, 2);
  }

  /** The result called `name`, found out now if it is not there. */
  or(name, find) {
    if (!Object.hasOwn(this.#results, name)) {
      this.#results[name] = find();
      writeFileSync(this.#path, JSON.stringify(this.#results, undefined, 1));
    }
    return this.#results[name];
  }
}

function fingerprint(folders) {
  const hash = createHash("sha256");
  for (const folder of folders) {
    const names = readdirSync(folder, { recursive: true }).toSorted((a, b) => (a < b ? -1 : 1));
    for (const name of names.filter((one) => !one.includes("__pycache__"))) {
      const path = join(folder, name);
      if (statSync(path).isFile()) hash.update(path).update(readFileSync(path));
    }
  }
  return hash.digest("hex");
}
