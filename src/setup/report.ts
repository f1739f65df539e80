/** The report that `conda --json` ends with. */
import { isRecord, parseRecord } from "../base/files/json.ts";

/** The last object in what conda printed; progress and warnings may stand before it. */
export function reportIn(stdout: string): Record<string, unknown> | undefined {
  const lines = stdout.replaceAll("\0", "").split(/\r?\n/);
  for (let start = lines.length - 1; start >= 0; start -= 1) {
    if (!lines[start]?.startsWith("{")) continue;
    const report = parseRecord(lines.slice(start).join("\n"));
    if (Object.keys(report).length > 0) return report;
  }
  return undefined;
}

/** Everything that the report says of a failure, as conda words it; `undefined` where it says nothing. */
export function messageIn(stdout: string): string | undefined {
  const report = reportIn(stdout);
  if (!report) return undefined;
  const parts = Array.isArray(report["errors"]) ? report["errors"].filter((part) => isRecord(part)) : [];
  const messages = [report, ...parts].map(({ message }) =>
    typeof message === "string" ? message.trim() : "",
  );
  return [...new Set(messages)].filter(Boolean).join("\n") || undefined;
}
