/** Taking a body in: only while there is room, and only in a type that no foreign page can send without asking. */
import { IsotorchError } from "../../base/errors.ts";
import type { Routes } from "../parts.ts";
import type { HttpRequest } from "../http/request.ts";
import { HttpProblem, mediaTypeProblem } from "../problem.ts";
import type { Admission } from "../request/admission.ts";
import { fileOf, isForm } from "../request/form.ts";
import { declaredOf, take } from "../request/receive.ts";

/** What surrounds a picture in a form. */
const FORM_BYTES = 16 * 1024;

/** What an address takes. */
export interface Taken {
  /** Bytes of the body at most, inflated. */
  readonly limit: number;
  /** @default a sentence about the body */
  readonly tooLarge?: () => Error;
}

/** Room for the body of a request, kept until all that uses it has ended. Registered on the routes that take bodies. */
export function admit(admission: Admission, takenBy: (request: HttpRequest) => Taken) {
  return (request: HttpRequest): void => {
    const { limit, tooLarge = bodyTooLarge } = takenBy(request);
    const declared = declaredOf(request);
    const ended = new Promise<void>((resolve) => request.response.once("close", resolve));
    // What has no length, or unpacks to another one, is counted as it comes.
    const reserved = Math.min(declared ?? 0, limit);
    const room = admission.enter(reserved, ended);
    if (declared !== undefined && declared > limit) throw tooLarge();
    take(request, { room, limit, reserved, tooLarge });
  };
}

/** For pictures: the file alone, or in a form. A form may be sent by any page, so it needs a header that none can add. */
export function admitPicture(admission: Admission, largest: number) {
  const room = admit(admission, (request) => ({ limit: isForm(request) ? largest + FORM_BYTES : largest }));
  return (request: HttpRequest): void => {
    if (isForm(request) && !("authorization" in request.headers)) throw mediaTypeProblem();
    room(request);
  };
}

/** The picture of a body. @throws HttpProblem where there is none; IsotorchError `INPUT_TOO_LARGE` */
export function pictureOf(request: HttpRequest, largest: number): Buffer {
  const body = bytesOf(request);
  if (!isForm(request)) return body;
  const file = fileOf(body, request.headers["content-type"] ?? "");
  if (file.length > largest) throw bodyTooLarge();
  return file;
}

/** The body's bytes. @throws HttpProblem where there is none. */
export function bytesOf(request: HttpRequest): Buffer {
  if (request.body !== undefined && request.body.length > 0) return request.body;
  throw new HttpProblem(
    "BAD_REQUEST",
    "The request has no body.",
    "Send it with `curl --data-binary @photo.jpg`.",
  );
}

/** Whatever else is sent to an address that is there. */
export function onlyPost(app: Routes, path: string, hint = "Send the picture as the body of a POST."): void {
  app.onGet(path, ({ response }) => {
    response.setHeader("allow", "POST");
    throw new HttpProblem("METHOD_NOT_ALLOWED", `${path} takes POST.`, hint);
  });
}

function bodyTooLarge(): IsotorchError {
  return new IsotorchError("INPUT_TOO_LARGE", "The body is larger than this address takes.");
}
