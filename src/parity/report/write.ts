/** Report files: the ending of the name says which kind. */
import { shown } from "../../base/text/shown.ts";
import { dirname, extname } from "node:path";
import { IsotorchError } from "../../base/errors.ts";
import { makeDirectory } from "../../base/files/files.ts";
import { unwritable, writeOutput } from "../../base/files/output.ts";
import { htmlReport } from "./html.ts";
import { jsonReport } from "./json.ts";
import { junitReport } from "./junit.ts";
import { markdownReport } from "./markdown.ts";
import type { ParityReport } from "./summary.ts";

const WRITERS: Readonly<Record<string, (report: ParityReport) => string>> = {
  ".json": jsonReport,
  ".md": markdownReport,
  ".html": htmlReport,
  ".xml": junitReport,
};

/** Refuses a name before the run and not after it. @throws IsotorchError `INVALID_OPTION`. */
export function checkReportName(path: string): void {
  if (Object.hasOwn(WRITERS, extname(path))) return;
  throw new IsotorchError("INVALID_OPTION", `The report ${shown(path)} has an unknown ending.`, {
    hint: `Reports end in ${Object.keys(WRITERS).join(", ")}`,
  });
}

/** Writes one file, and the folders above it. @throws IsotorchError `INVALID_OPTION` or `OUTPUT_FAILED` where that is not possible. */
export async function writeReport(path: string, report: ParityReport): Promise<void> {
  checkReportName(path);
  await makeDirectory(dirname(path)).catch((cause: unknown) => {
    throw unwritable("The report", cause, path);
  });
  await writeOutput(path, WRITERS[extname(path)]!(report), "The report");
}
