/** Every task that a server elsewhere can do, by its name. */
import type { InputOf, PartOf, TaskName } from "../../tasks/registry.ts";
import { classify } from "./classify.ts";
import type { RemoteTask } from "./task.ts";

export const REMOTE_TASKS: { readonly [N in TaskName]?: RemoteTask<InputOf<N>, PartOf<N>> } = { classify };
