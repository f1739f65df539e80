/** The two errors of a request that is none. */
import { IsotorchError } from "../../base/errors.ts";

/** `INVALID_INPUT`: a field of the request. */
export function bad(why: string, cause?: unknown): IsotorchError {
  return new IsotorchError("INVALID_INPUT", `Not an inference request: ${why}.`, {
    hint: "docs/server.md describes the request.",
    cause,
  });
}

/** `BAD_TENSOR`: the type, shape or values of its tensor. */
export function badTensor(why: string): IsotorchError {
  return new IsotorchError("BAD_TENSOR", `Not usable as a tensor: ${why}.`, {
    hint: "GET /v2/models/MODEL lists the tensors.",
  });
}

/** A value of the request for a sentence, cut short. */
export function show(value: unknown): string {
  return (JSON.stringify(value) ?? "missing").slice(0, 80);
}
