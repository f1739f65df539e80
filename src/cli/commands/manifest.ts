/** `isotorch manifest diff A B` */
import { say } from "../terminal/terminal.ts";
import { IsotorchError } from "../../base/errors.ts";
import { WEIGHTS_ON_BITS, diffManifests } from "../../parity/golden/manifest-diff.ts";
import type { ManifestDifference, WeightOnBits } from "../../parity/golden/manifest-diff.ts";
import { readManifest } from "../../parity/golden/manifest.ts";
import { MANIFEST_DIFF } from "../describe/checks.ts";
import { parserOf } from "../flags/description.ts";
import { parseFlags } from "../flags/flags.ts";
import { EXIT } from "../exit.ts";

const TITLES: Readonly<Record<WeightOnBits, string>> = {
  decides: "decides the bits",
  may: "may change the last bits",
  none: "does not change the bits",
};

/** @returns 0, or 1 when something differs. */
export async function run(argv: readonly string[]): Promise<number> {
  const { values, positionals } = parseFlags(argv, parserOf(MANIFEST_DIFF));
  const [action, a, b, ...more] = positionals;
  if (action !== "diff" || a === undefined || b === undefined || more.length > 0) {
    throw new IsotorchError("INVALID_OPTION", "`manifest` knows diff, with two files.", {
      hint: "isotorch manifest diff here.json there.json",
    });
  }
  const differences = diffManifests(await readManifest(a), await readManifest(b));
  const same = differences.length === 0;
  say(values["json"] === true ? `${JSON.stringify({ same, differences })}\n` : text(differences));
  return same ? EXIT.ok : EXIT.input;
}

function text(differences: readonly ManifestDifference[]): string {
  if (differences.length === 0) return "The same.\n";
  return WEIGHTS_ON_BITS.flatMap((bits) => {
    const group = differences.filter((difference) => difference.bits === bits);
    return group.length === 0 ? [] : [`${TITLES[bits]}\n`, ...group.map(lines)];
  }).join("");
}

function lines({ path, a = "(absent)", b = "(absent)" }: ManifestDifference): string {
  return `  ${path}\n    a  ${a}\n    b  ${b}\n`;
}
