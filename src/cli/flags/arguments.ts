/** The words of the command line, with names of files that are not UTF-8 as `nameOf` has them. */
import { readFileSync } from "node:fs";
import { nameOf } from "../../base/text/names.ts";

/**
 * Node reads arguments as UTF-8, and what is none is lost to it; Linux shows the bytes.
 *
 * @param read the bytes of this process's command line; throws where the system does not show them.
 */
export function givenArguments(
  argv: readonly string[] = process.argv.slice(2),
  read: () => Uint8Array = () => readFileSync("/proc/self/cmdline"),
): string[] {
  const lost = "\ufffd";
  if (!argv.some((word) => word.includes(lost))) return [...argv];
  let line: Uint8Array;
  try {
    line = read();
  } catch {
    return [...argv];
  }
  const words = splitAtNul(line).slice(-argv.length);
  // Another program's line, or one that was overwritten, is not taken for this one's.
  const isOurs = words.length === argv.length && words.every((word, at) => text(word) === argv[at]);
  return isOurs ? words.map(nameOf) : [...argv];
}

/** Each word ends with a NUL. */
function splitAtNul(line: Uint8Array): Uint8Array[] {
  const words: Uint8Array[] = [];
  for (let from = 0, to = line.indexOf(0); to !== -1; from = to + 1, to = line.indexOf(0, from)) {
    words.push(line.subarray(from, to));
  }
  return words;
}

function text(word: Uint8Array): string {
  return Buffer.from(word).toString("utf8");
}
