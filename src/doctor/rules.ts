import type { Findings } from "./findings.ts";
import type { Area, Fix, Rule } from "./rule.ts";
import { CHECKPOINT_RULES } from "./rules-checkpoint.ts";
import { DEVICE_RULES } from "./rules-device.ts";
import { ENVIRONMENT_RULES } from "./rules-environment.ts";
import { IMPORT_RULES } from "./rules-imports.ts";

/** Every rule, in the order in which they look. */
export const RULES: readonly Rule[] = [
  ...ENVIRONMENT_RULES,
  ...IMPORT_RULES,
  ...DEVICE_RULES,
  ...CHECKPOINT_RULES,
];

/** One thing that is wrong, and the command or the step that mends it. */
export interface Problem {
  /** The id of the rule that knows it. */
  readonly rule: string;
  readonly area: Area;
  /** `error` stops the worker as it was asked for, `warning` does not. */
  readonly level: "error" | "warning";
  readonly sentence: string;
  readonly mend: string;
  /** What `doctor --fix` would do; `null` where it can do nothing. */
  readonly fix: Fix | null;
}

/** What is wrong with what was found. An error that one rule explains is told by no other. */
export function problemsIn(findings: Findings): Problem[] {
  const errors: Record<string, string> = { ...findings.examination?.errors };
  const problems: Problem[] = [];
  for (const rule of RULES) {
    const { id, area, level } = rule;
    const found = rule.find(findings, errors);
    if (!found) continue;
    for (const name of found.explains ?? []) delete errors[name];
    problems.push({
      rule: id,
      area,
      level: found.level ?? level,
      sentence: found.sentence,
      mend: found.mend,
      fix: found.fix ?? null,
    });
  }
  return problems;
}
