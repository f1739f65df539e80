/** Taking a body in: only while there is room, and only in a type that no foreign page can send without asking. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { HttpProblem } from "../problem.ts";
import type { Admission } from "../request/admission.ts";

/** Room for the body of a request, given back when its answer is through. Registered on the routes that take bodies. */
export function admit(admission: Admission, limit: number) {
  return (request: FastifyRequest, reply: FastifyReply, done: () => void): void => {
    const declared = Number(request.headers["content-length"] ?? limit);
    const leave = admission.enter(Math.min(declared, limit));
    reply.raw.once("close", leave);
    done();
  };
}

/** The body's bytes. @throws HttpProblem where there is none. */
export function bytesOf(request: FastifyRequest): Buffer {
  if (Buffer.isBuffer(request.body) && request.body.length > 0) return request.body;
  throw new HttpProblem(
    "BAD_REQUEST",
    "The request has no body.",
    "Send it with `curl --data-binary @photo.jpg`.",
  );
}

/** Whatever else is sent to an address that is there. */
export function onlyPost(app: FastifyInstance, path: string): void {
  app.get(path, (_, reply) => {
    void reply.header("allow", "POST");
    throw new HttpProblem(
      "METHOD_NOT_ALLOWED",
      `${path} takes POST.`,
      "Send the picture as the body of a POST.",
    );
  });
}
