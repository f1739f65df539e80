/** The secret that a client shows: `Authorization: Bearer TOKEN`. */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { invalid } from "../../base/options/check.ts";
import { HttpProblem } from "../problem.ts";

const SHORTEST = 16;

/** 256 random bits. */
export function makeToken(): string {
  return randomBytes(32).toString("base64url");
}

/** @throws IsotorchError `INVALID_OPTION` for a token that is short, or cannot stand in a header. */
export function checkedToken(token: string): string {
  if (token.length >= SHORTEST && /^[\w.~-]+$/.test(token)) return token;
  throw invalid(
    `The token is not ${SHORTEST} or more letters, digits, dots, dashes or underscores.`,
    "Leave it out, and a random one is made; `off` goes without.",
  );
}

/** A function that refuses whoever does not show the token. Comparing takes as long whatever was shown. */
export function tokenGuard(token: string): (authorization: string | undefined) => void {
  const expected = digest(token);
  return (authorization = "") => {
    const shown = /^Bearer +(\S+)$/i.exec(authorization)?.[1] ?? "";
    if (timingSafeEqual(digest(shown), expected)) return;
    throw new HttpProblem(
      "UNAUTHORIZED",
      "The token is missing or wrong.",
      "Send the header `Authorization: Bearer TOKEN` with the token that the server printed when it started.",
    );
  };
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
