/** One kind of work: from what it takes to a request of the worker's, and from the worker's replies to what it gives. */
import type { Fields, MessageType } from "../protocol/messages.ts";
import type { Frame, MessageOf } from "../protocol/wire.ts";

/** What whoever sends a request knows of it: the time that is left, and how many of its batch come behind it. */
type Sending = Pick<Fields<"classify">, "deadlineMs" | "following">;

/** A task is named as the message that asks for it. */
export type TaskName = {
  [M in MessageType]: Fields<M> extends Sending ? M : never;
}[MessageType];

/** What one request says and carries. */
export interface Content<N extends TaskName = TaskName> {
  readonly fields: Omit<Fields<N>, keyof Sending>;
  readonly frames: readonly Frame[];
  /** It goes apart from the batches: whoever has it works at it beside the network, or makes it piece by piece. */
  readonly apart: boolean;
}

/** A piece of an answer, or its end. Whoever makes an answer in one go sends its end alone. */
export type Reply = MessageOf<"part"> | MessageOf<"result">;

export interface Task<N extends TaskName, Input, Part> {
  /**
   * Whether the same input gives the same parts again: after a worker's death its answer is then made once more, and what was
   * delivered already is compared and left out. If not, such a call fails.
   */
  readonly isReplayable: boolean;
  readonly contentOf: (input: Input) => Content<N>;
  /** @throws IsotorchError `PROTOCOL_ERROR` for a reply that this task does not have. */
  readonly partOf: (reply: Reply) => Part;
}
