/** A request on its way to a worker. */
import type { Fields, Frame } from "../protocol/wire.ts";
import type { Content, TaskName } from "../tasks/task.ts";

export interface Outgoing {
  readonly type: TaskName;
  readonly fields: Fields<TaskName>;
  readonly frames: readonly Frame[];
}

/** A request of a task, with what belongs to its sending: the milliseconds that are left, null = no end. */
export function outgoing(
  type: TaskName,
  { fields, frames }: Pick<Content, "fields" | "frames">,
  deadlineMs: number | null,
  following: number,
): Outgoing {
  return { type, fields: { ...fields, deadlineMs, following } as Fields<TaskName>, frames };
}
