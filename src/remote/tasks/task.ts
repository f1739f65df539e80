/** What of a task a server can be asked for, in the terms of the Open Inference Protocol. */
import type { IsotorchError } from "../../base/errors.ts";
import type { ModelMetadata } from "../model/metadata.ts";
import type { InferRequest, OutputTensor } from "../oip.ts";

/** What of a request belongs to its task. */
export type Asked = Pick<InferRequest, "input" | "outputs" | "parameters">;

export interface RemoteTask<Input, Part> {
  readonly bytesOf: (input: Input) => number;
  /** An error where this server does not take it. */
  readonly askedOf: (input: Input, metadata: ModelMetadata, url: string) => Asked | IsotorchError;
  /** @throws IsotorchError where the answer is none. */
  readonly partOf: (
    tensors: ReadonlyMap<string, OutputTensor>,
    metadata: ModelMetadata,
    input: Input,
    timings: Readonly<Record<string, number>>,
  ) => Part;
}
