/**
 * What a caller has of an answer. Where a worker died in the middle of it, another one makes it from the start: what was
 * delivered is compared with what comes now, and left out.
 */
import { createHash } from "node:crypto";
import { IsotorchError } from "../base/errors.ts";
import type { Reply } from "../tasks/task.ts";

export class Delivery {
  readonly #write: (reply: Reply) => void;
  /** One per part that was delivered. */
  readonly #digests: string[] = [];
  /** The sequence number that comes next. */
  #next = 0;

  constructor(write: (reply: Reply) => void) {
    this.#write = write;
  }

  /** The answer is made once more, from its first part. */
  restart(): void {
    this.#next = 0;
  }

  /** @throws IsotorchError `PROTOCOL_ERROR` for a part out of its order, `NOT_REPRODUCIBLE` for one that is not what was delivered. */
  take(reply: Reply): void {
    if (reply.type === "result") {
      if (this.#next < this.#digests.length) throw notTheSame(this.#next);
      return this.#write(reply);
    }
    const { sequence } = reply.fields;
    if (sequence !== this.#next) {
      throw new IsotorchError(
        "PROTOCOL_ERROR",
        `Part ${sequence} of an answer came where part ${this.#next} was due.`,
      );
    }
    this.#next += 1;
    const digest = digestOf(reply);
    const delivered = this.#digests[sequence];
    if (delivered === undefined) {
      this.#digests.push(digest);
      this.#write(reply);
    } else if (delivered !== digest) throw notTheSame(sequence);
  }
}

function digestOf({ frames }: Reply): string {
  const hash = createHash("sha256");
  for (const { name, dtype, shape, data } of frames)
    hash.update(`${name} ${dtype} ${shape.join()}:`).update(data);
  return hash.digest("base64");
}

function notTheSame(part: number): IsotorchError {
  return new IsotorchError(
    "NOT_REPRODUCIBLE",
    `The worker died in the middle of the answer, and the one after it made another part ${part} than was delivered.`,
  );
}
