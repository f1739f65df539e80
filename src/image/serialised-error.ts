import { IsotorchError, type IsotorchErrorCode } from "../base/errors.ts";

/** An error on its way from one process to another. */
export interface SerialisedError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  /** An `IsotorchErrorCode`, or that of the system, as `ENOENT`. */
  readonly code: string | undefined;
  readonly hint: string | undefined;
  readonly cause: SerialisedError | undefined;
}

/** Anything that was thrown, as plain data. */
export function serialise(thrown: unknown): SerialisedError {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const { name, message, stack, cause } = error;
  return {
    name,
    message,
    stack,
    code: "code" in error && typeof error.code === "string" ? error.code : undefined,
    hint: error instanceof IsotorchError ? error.hint : undefined,
    cause: cause === undefined ? undefined : serialise(cause),
  };
}

/** The error as it was: an `IsotorchError` with code, hint and cause, or an `Error` with the name that it had. */
export function deserialise({ name, message, stack, code, hint, cause }: SerialisedError): Error {
  const inner = cause && { cause: deserialise(cause) };
  if (name === "IsotorchError" && hint !== undefined) {
    return new IsotorchError(code as IsotorchErrorCode, message, { hint, ...inner });
  }
  const details = { name, ...(stack !== undefined && { stack }), ...(code !== undefined && { code }) };
  return Object.assign(new Error(message, inner), details);
}
