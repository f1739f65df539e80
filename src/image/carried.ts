import { IsotorchError, type IsotorchErrorCode } from "../base/errors.ts";

/** An error on its way from one process to another. */
export interface Carried {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  /** An `IsotorchErrorCode`, or that of the system, as `ENOENT`. */
  readonly code: string | undefined;
  readonly hint: string | undefined;
  readonly cause: Carried | undefined;
}

/** Anything that was thrown, as plain data. */
export function carry(thrown: unknown): Carried {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const { name, message, stack, cause } = error;
  return {
    name,
    message,
    stack,
    code: "code" in error && typeof error.code === "string" ? error.code : undefined,
    hint: error instanceof IsotorchError ? error.hint : undefined,
    cause: cause === undefined ? undefined : carry(cause),
  };
}

/** The error as it was: an `IsotorchError` with code, hint and cause, or an `Error` with the name that it had. */
export function revive({ name, message, stack, code, hint, cause }: Carried): Error {
  const revived = cause && { cause: revive(cause) };
  if (name === "IsotorchError" && hint !== undefined) {
    return new IsotorchError(code as IsotorchErrorCode, message, { hint, ...revived });
  }
  const details = { name, ...(stack !== undefined && { stack }), ...(code !== undefined && { code }) };
  return Object.assign(new Error(message, revived), details);
}
