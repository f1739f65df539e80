/** Imported before everything else by the command. */
import { requireNode } from "../base/host.ts";
import { IsotorchError } from "../base/errors.ts";

const ENVIRONMENT = 3;
try {
  requireNode();
} catch (error) {
  if (!(error instanceof IsotorchError)) throw error;
  process.stderr.write(`isotorch: ${error.code}: ${error.message}\n  ${error.hint}\n`);
  process.exit(ENVIRONMENT);
}
