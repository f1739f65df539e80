/** The fields of a JSON body, each checked by hand: each has its sentence. A field that is null is one that is not there. */
import { isRecord, parseJson } from "../../base/files/json.ts";
import { invalid, unexpected } from "../../base/options/check.ts";
import { didYouMean } from "../../base/options/suggest.ts";
import { excerpt } from "../../base/text/shown.ts";
import { HttpProblem } from "../problem.ts";

export type Fields = Readonly<Record<string, unknown>>;

/**
 * @param known what is suggested for a name that there is not. @param besides what is taken as well.
 * @throws HttpProblem `BAD_REQUEST` for a body that is no JSON object; IsotorchError `INVALID_OPTION` for another field.
 */
export function fieldsOf(body: Buffer, known: readonly string[], besides: readonly string[] = []): Fields {
  const given = recordOf(body);
  for (const name of Object.keys(given)) {
    if (known.includes(name) || besides.includes(name)) continue;
    throw invalid(`There is no field "${excerpt(name)}".`, didYouMean(name, known));
  }
  return given;
}

function recordOf(body: Buffer): Fields {
  let value: unknown;
  try {
    value = parseJson(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch (cause) {
    throw new HttpProblem("BAD_REQUEST", "The body is no JSON.", BODY, { cause });
  }
  if (isRecord(value)) return value;
  throw new HttpProblem("BAD_REQUEST", "The body is no JSON object.", BODY);
}

const BODY = 'Send an object such as {"prompt": "The dog", "max_tokens": 18}.';

export function whole(given: Fields, name: string, most: number): number | undefined {
  const value = given[name] ?? undefined;
  if (value === undefined) return undefined;
  if (Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= most)
    return value as number;
  throw unexpected(`Field "${name}" is`, value, `a whole number from 0 to ${most}`);
}

export function flag(given: Fields, name: string): boolean {
  const value = given[name] ?? false;
  if (typeof value === "boolean") return value;
  throw unexpected(`Field "${name}" is`, value, "true or false");
}

export function text(given: Fields, name: string): string | undefined {
  const value = given[name] ?? undefined;
  if (value === undefined || typeof value === "string") return value;
  throw unexpected(`Field "${name}" is`, value, "a text");
}
