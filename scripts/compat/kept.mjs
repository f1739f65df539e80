// What was found out, kept in a folder, so that a run can be done in pieces.
import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Stop } from "./run.mjs";

export class Kept {
  #path;
  #code = fingerprint(["dist", "python", "test/python"]);

  /** Goes on with what is in `folder`, if it was found out about this very code. */
  constructor(folder) {
    this.#path = join(folder, "results.json");
    if (this.#read().code === this.#code) return;
    throw new Stop(`${folder} was kept for another state of the code. Give --keep an empty folder.`, 2);
  }

  /** The result called `name`, found out now if it is not there. */
  or(name, find) {
    const known = this.#read();
    if (Object.hasOwn(known, name)) return known[name];
    const result = find();
    // Read again: another run may have found out something else meanwhile.
    const results = { ...this.#read(), [name]: result };
    writeFileSync(this.#path, JSON.stringify(results, undefined, 1));
    return result;
  }

  #read() {
    return existsSync(this.#path) ? JSON.parse(readFileSync(this.#path, "utf8")) : { code: this.#code };
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
