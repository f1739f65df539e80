/** Request ids and W3C trace context: taken over where they are well formed, made where they are not there. */
import { randomBytes, randomUUID } from "node:crypto";

/** Where this request stands in a trace, https://www.w3.org/TR/trace-context/. */
export interface Trace {
  /** 32 hex digits, the caller's where it sent one. */
  readonly traceId: string;
  /** 16 hex digits: this server's part of the trace. */
  readonly spanId: string;
  /** The caller's part; undefined where the trace begins here. */
  readonly parentId: string | undefined;
  /** Two hex digits; the lowest bit says that the caller records. */
  readonly flags: string;
}

/** The caller's id where it is short and plain, else a new one. */
export function requestIdOf(header: string | string[] | undefined): string {
  return typeof header === "string" && /^[\w.:-]{1,128}$/.test(header) ? header : randomUUID();
}

export function traceOf(header: string | string[] | undefined): Trace {
  const given =
    typeof header === "string"
      ? /^(?!ff)[\da-f]{2}-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(?:$|-)/.exec(header)
      : null;
  const [, traceId = "", parentId = "", flags = "00"] = given ?? [];
  const spanId = randomBytes(8).toString("hex");
  const isGiven = /[1-9a-f]/.test(traceId) && /[1-9a-f]/.test(parentId); // all zeros mean nothing
  if (isGiven) return { traceId, spanId, parentId, flags };
  return { traceId: randomBytes(16).toString("hex"), spanId, parentId: undefined, flags: "00" };
}

/** The header that continues the trace from here. */
export function traceparent({ traceId, spanId, flags }: Trace): string {
  return `00-${traceId}-${spanId}-${flags}`;
}
