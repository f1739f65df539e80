/** `isotorch doctor` */
import { diagnose } from "../doctor.ts";
import type { Diagnosis } from "../doctor.ts";
import { classifierOptions, parseFlags } from "./flags.ts";
import { EXIT } from "./exit.ts";

export const help: string = `isotorch doctor : what was found, what is wrong, and how to mend it

  isotorch doctor [--json] [--python PATH | --env NAME|PREFIX] [--device D] [--weights W] [--cache-dir DIR]

Looks at every Python that could run the worker and says why each was taken or refused, imports PyTorch in the
chosen one, runs a small kernel on the device, and looks for checkpoints. Exit code 3 when no environment fits
or it is broken, 4 when the device is not there, 0 otherwise.
`;

/** @returns 0, 3 (environment) or 4 (device). */
export async function run(argv: readonly string[]): Promise<number> {
  const { values } = parseFlags(argv, {
    python: { type: "string" },
    env: { type: "string" },
    device: { type: "string" },
    weights: { type: "string" },
    "cache-dir": { type: "string" },
    json: { type: "boolean" },
  });
  const diagnosis = await diagnose(classifierOptions(values));
  process.stdout.write(values["json"] === true ? `${JSON.stringify(diagnosis)}\n` : text(diagnosis));
  const broken = diagnosis.problems.map(({ area }) => area);
  if (broken.includes("environment")) return EXIT.environment;
  return broken.includes("device") ? EXIT.device : EXIT.ok;
}

function text({ isotorch, node, candidates, python, checkpoints, problems }: Diagnosis): string {
  const lines = [`isotorch ${isotorch}, Node ${node}`, "", "Python, in the order in which it is looked for:"];
  for (const { path, source, verdict } of candidates) lines.push(`  ${path} (${source}): ${verdict}`);
  if (python !== null) {
    lines.push("", `Chosen: ${python.path}`);
    for (const [name, value] of Object.entries(python.facts)) lines.push(`  ${name.padEnd(16)}${value}`);
  }
  lines.push("", "Checkpoints:");
  for (const { name, path, here } of checkpoints)
    lines.push(`  ${name.padEnd(16)}${here ? "here" : "not here"}  ${path}`);
  lines.push("", problems.length === 0 ? "Nothing is wrong." : "What is wrong, and how to mend it:");
  for (const { sentence, mend } of problems) lines.push(`  - ${sentence}`, `    ${mend}`);
  return `${lines.join("\n")}\n`;
}
