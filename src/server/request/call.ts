/** One request with its limits: when it must be answered, and whether anybody still waits. */
import { IsotorchError } from "../../base/errors.ts";
import type { HttpRequest } from "../http/request.ts";
import { HttpProblem } from "../problem.ts";
import { traceOf, traceparent } from "../../base/trace.ts";
import type { Trace } from "../../base/trace.ts";

export interface Call {
  /** `performance.now()` when its headers were there. */
  readonly started: number;
  readonly trace: Trace;
  /** Fires when the client goes away before the answer. */
  readonly signal: AbortSignal;
  /** Milliseconds that are left of the client's patience; at least 1. */
  readonly remainingMs: () => number;
  /** Why it failed, for log and metrics. */
  code: string | undefined;
}

const calls = new WeakMap<HttpRequest, Call>();
/** The largest network on a slow CPU has more than an hour. */
const LONGEST_MS = 7_200_000;

/** Begins the call of a request. @throws HttpProblem for a deadline that is no number. */
export function beginCall(request: HttpRequest, defaultMs: number): Call {
  const { response } = request;
  const started = performance.now();
  const gone = new AbortController();
  response.once("close", () => {
    if (!response.writableFinished) gone.abort(new IsotorchError("ABORTED", "The client went away."));
  });
  let timeoutMs = defaultMs;
  const call: Call = {
    started,
    trace: traceOf(request.headers["traceparent"]),
    signal: gone.signal,
    remainingMs: () => Math.max(1, Math.ceil(timeoutMs - (performance.now() - started))),
    code: undefined,
  };
  calls.set(request, call);
  response.setHeader("traceparent", traceparent(call.trace));
  // This may throw: by then also a refused request has its call.
  timeoutMs = timeoutOf(request.headers["x-request-timeout-ms"]) ?? defaultMs;
  return call;
}

/** The call of a request; every request has one once it is inside. */
export function callOf(request: HttpRequest): Call {
  const call = calls.get(request);
  if (call === undefined) throw new Error("the request was not begun");
  return call;
}

function timeoutOf(header: string | string[] | undefined): number | undefined {
  if (header === undefined) return undefined;
  const ms = typeof header === "string" && /^\d{1,9}$/.test(header) ? Number(header) : 0;
  if (ms >= 1 && ms <= LONGEST_MS) return ms;
  throw new HttpProblem(
    "BAD_REQUEST",
    `X-Request-Timeout-Ms is not a whole number from 1 to ${LONGEST_MS}.`,
    "It is the time in milliseconds that you are ready to wait, such as 5000.",
  );
}
