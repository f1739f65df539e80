/** `multipart/form-data` with one file, as `curl -F file=@photo.jpg` sends it. */
import type { HttpRequest } from "../http/request.ts";
import { HttpProblem } from "../problem.ts";

export const FORM = "multipart/form-data";
/** Bytes that one part's own headers may have. */
const LONGEST_HEAD = 8 * 1024;

export function isForm({ headers }: HttpRequest): boolean {
  return headers["content-type"]?.trim().toLowerCase().startsWith(FORM) === true;
}

/** The content of the only part, whatever its name. @throws HttpProblem `BAD_REQUEST` */
export function fileOf(body: Buffer, contentType: string): Buffer {
  const named = /;\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))/i.exec(contentType);
  const boundary = named?.[1] ?? named?.[2];
  if (boundary === undefined) throw malformed("it names no boundary");
  const line = Buffer.from(`--${boundary}`, "latin1");
  const start = body.indexOf(line);
  if (start === -1 || (start > 0 && body.toString("latin1", start - 2, start) !== "\r\n")) {
    throw malformed("its boundary is not in it");
  }
  const head = start + line.length;
  const blank = body.subarray(head, head + LONGEST_HEAD).indexOf("\r\n\r\n");
  if (blank === -1) throw malformed("its part has no headers");
  const content = head + blank + 4;
  const end = body.indexOf(Buffer.concat([Buffer.from("\r\n"), line]), content);
  if (end === -1) throw malformed("it has no end");
  const behind = end + 2 + line.length;
  if (body.toString("latin1", behind, behind + 2) !== "--") throw malformed("it has more than one part");
  return body.subarray(content, end);
}

function malformed(why: string): HttpProblem {
  return new HttpProblem(
    "BAD_REQUEST",
    `Not a form with one picture: ${why}.`,
    "Send it with `curl -F file=@photo.jpg`; parameters go into the address, such as ?topK=3.",
  );
}
