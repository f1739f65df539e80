/** `GET …/config`: what the model takes, in the words of Triton's model configuration. */
import { MAX_BATCH, VERSION, inputsOf, outputsOf } from "./metadata.ts";
import type { Model, TensorMetadata } from "./metadata.ts";

/**
 * Its dimensions are those of one picture: `max_batch_size` stands for the first one. A request has one of three inputs;
 * clients that send what is not optional, such as perf_analyzer, send the tensor.
 */
export function modelConfig(model: Model): object {
  return {
    name: model.name,
    platform: "pytorch",
    backend: "pytorch",
    version_policy: { specific: { versions: [Number(VERSION)] } },
    max_batch_size: MAX_BATCH,
    input: inputsOf(model).map((tensor) => ({
      ...tensorConfig(tensor),
      format: "FORMAT_NONE",
      optional: tensor.name !== "input",
    })),
    output: outputsOf(model).map(tensorConfig),
  };
}

function tensorConfig({ name, datatype, shape }: TensorMetadata): object {
  const type = datatype === "BYTES" ? "TYPE_STRING" : `TYPE_${datatype}`;
  return { name, data_type: type, dims: shape.slice(1) };
}
