import { expect } from "vitest";
import { IsotorchError } from "../src/base/errors.ts";

/** The typed error that a promise fails with; anything else fails the test. */
export async function failureOf(promise: Promise<unknown>): Promise<IsotorchError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(IsotorchError);
  if (!(error instanceof IsotorchError)) throw error;
  return error;
}

/** Its code. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  return (await failureOf(promise)).code;
}
