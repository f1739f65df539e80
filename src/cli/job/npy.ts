/** The vectors of a finished job as an array for NumPy, and beside it whose its rows are. */
import { open, rm } from "node:fs/promises";
import { replaceFile, writeJson } from "../../base/files/files.ts";
import { npyHeader } from "../../base/files/npy.ts";
import { unwritable } from "../../base/files/output.ts";
import { shown } from "../../base/text/shown.ts";
import { linesIn } from "../../similarity/read.ts";
import { checked, unreadable } from "../../similarity/vector.ts";
import type { Conditions } from "./conditions.ts";

/** Bytes of the header: room for every number of rows. */
const HEADER = 128;

/**
 * Makes the file at `path`, float32 [N, D] in C order, of the lines of JSON in `lines`, and `PATH.json` beside it: { `inputs`: the N
 * pictures of the rows, `failed`: those that have none, `network` }. What was there is replaced once the new is whole.
 *
 * @param size D, the values of a vector.
 */
export async function writeVectors(
  lines: string,
  path: string,
  size: number,
  network: Conditions,
): Promise<void> {
  const whole = `${path}.new`;
  const inputs: string[] = [];
  const failed: string[] = [];
  try {
    const file = await open(whole, "w");
    try {
      for await (const { name, values } of checked(lines, linesIn(lines))) {
        if (values === undefined) {
          failed.push(name);
          continue;
        }
        if (values.length !== size) throw unreadable(lines, `a row has ${values.length} values, not ${size}`);
        await file.write(new Uint8Array(values.buffer), 0, undefined, HEADER + inputs.length * size * 4);
        inputs.push(name);
      }
      await file.write(npyHeader("<f4", [inputs.length, size], HEADER), 0, undefined, 0);
    } finally {
      await file.close();
    }
    await writeJson(`${path}.json`, { version: 1, inputs, failed, network });
    await replaceFile(whole, path);
  } catch (cause) {
    await rm(whole, { force: true }).catch(() => {});
    const keeps = `The vectors are whole in ${lines}; the same command again makes the file of them.`;
    throw unwritable(shown(path), cause, path, keeps);
  }
}
