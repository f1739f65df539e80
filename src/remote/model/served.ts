/** What is known of a server's network: its metadata, one real answer, and what an isotorch server says besides. */
import { IsotorchError } from "../../base/errors.ts";
import type { Digests } from "../../image/attest/built-in.ts";
import { cropSize } from "../../image/resample/geometry.ts";
import type { TransformsName } from "../../checkpoints/resolve.ts";
import { isRecord, parseRecord } from "../../base/files/json.ts";
import { defaultTransforms, specOf } from "../../checkpoints/table.ts";
import type { WireSpec } from "../../protocol/messages.ts";
import { labelsIn, outputsFor, rankingOf } from "../tasks/answer.ts";
import { failureOfReply, malformed } from "../failure.ts";
import { CLASSES, metadataOf, mismatch } from "./metadata.ts";
import type { ModelMetadata } from "./metadata.ts";
import type { Connections, Reply } from "../http.ts";
import { decodeInfer, encodeInfer } from "../oip.ts";
import type { RemoteSettings } from "../options.ts";
import { preprocessingOf, torchvisionName, wantedSpec } from "./preprocessing.ts";
import type { Preprocessing } from "./preprocessing.ts";

export interface ServedModel extends Preprocessing {
  readonly metadata: ModelMetadata;
  /** The server's own labels, by index; undefined where it gives none. */
  readonly labels: readonly string[] | undefined;
  /** The `network` of an isotorch server's `/status`; empty where there is none. Its values are still to be checked. */
  readonly network: Readonly<Record<string, unknown>>;
  /** What an isotorch server's Pillow and torchvision make of the attestation's pictures; undefined where it does not say. */
  readonly attestation: Digests | undefined;
  /** Milliseconds of the answer that was asked for to see one. */
  readonly answerMs: number;
}

export interface Look {
  readonly url: string;
  readonly connections: Connections;
  readonly settings: RemoteSettings;
  /** What the caller asks for; undefined leaves it to the server. */
  readonly transforms: TransformsName | WireSpec | undefined;
  /** Whether the caller names the classes. */
  readonly isLabelled: boolean;
  readonly signal: AbortSignal;
}

/** The address of the model, with its version where one is asked for. */
export function modelPath({ model, version }: RemoteSettings): string {
  const path = `/v2/models/${encodeURIComponent(model)}`;
  return version === undefined ? path : `${path}/versions/${encodeURIComponent(version)}`;
}

/**
 * Reads the metadata and classifies one grey picture: what does not answer a picture is not called ready.
 *
 * @throws IsotorchError `REMOTE_MISMATCH`, `REMOTE_REFUSED` and what a call throws; ConnectionFailure.
 */
export async function servedModelOf(look: Look): Promise<ServedModel> {
  const { url, settings, transforms } = look;
  const server = await json(look, "/v2");
  const model = await json(look, modelPath(settings));
  const named = torchvisionName(settings.model);
  const usual = wantedSpec(transforms, named) ?? specOf(defaultTransforms(named), named);
  const metadata = metadataOf(server, model, cropSize(usual));
  checkLabels(metadata, look);
  const { spec: said, model: ofServer } = metadata.isOurs ? parametersOf(model) : {};
  const network: Readonly<Record<string, unknown>> = metadata.isOurs
    ? { model: ofServer, ...(await statusOf(look)) }
    : {};
  const known = {
    url,
    size: metadata.size,
    said: isRecord(said) ? said : sidesOf(network),
    model: torchvisionName(network["model"], settings.model),
  };
  return {
    metadata,
    network,
    attestation: attestationIn(model),
    ...preprocessingOf(known, transforms),
    ...(await oneAnswer(look, metadata)),
  };
}

/** The names of classes that are not ImageNet's are nowhere but at a server of ours or with the caller. */
function checkLabels({ classes, isOurs }: ModelMetadata, { isLabelled, url }: Look): void {
  if (isLabelled || isOurs || classes === CLASSES) return;
  const { message } = mismatch(`it has ${classes} classes, and nobody says their names`, url);
  throw new IsotorchError("REMOTE_MISMATCH", message, { hint: `Give \`labels\`, ${classes} of them.` });
}

function parametersOf({ parameters }: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return isRecord(parameters) ? parameters : {};
}

/** All that isotorch servers said of their preprocessing up to 0.2. */
function sidesOf({ resize, crop }: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return { resize, crop };
}

function attestationIn(model: Readonly<Record<string, unknown>>): Digests | undefined {
  const given = parametersOf(model)["attestation"];
  if (!isRecord(given)) return undefined;
  const digests = Object.entries(given).filter(
    (entry): entry is [string, string] => typeof entry[1] === "string",
  );
  return Object.fromEntries(digests.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

async function oneAnswer(
  look: Look,
  metadata: ModelMetadata,
): Promise<Pick<ServedModel, "labels" | "answerMs">> {
  const { url, connections, settings, signal } = look;
  const asked = { topK: 1, include: [] };
  const { classes, size } = metadata;
  const labelled = metadata.isOurs ? metadata.outputs.logits : undefined;
  const { headers, body } = encodeInfer({
    id: "isotorch",
    input: {
      name: metadata.inputs.tensor ?? "",
      datatype: "FP32",
      shape: [1, 3, size.height, size.width],
      data: new Uint8Array(3 * size.height * size.width * 4),
    },
    outputs: [
      ...outputsFor(metadata, asked),
      ...(labelled === undefined ? [] : [{ name: labelled, classes }]),
    ],
    timeoutMs: undefined,
  });
  const started = performance.now();
  const path = `${modelPath(settings)}/infer`;
  const reply = await connections.send({ method: "POST", path, headers, body, signal });
  const answerMs = performance.now() - started;
  if (reply.status !== 200) throw failureOfReply(reply, url, "isotorch").error;
  const tensors = new Map(decodeInfer(reply, "isotorch"));
  const labels = labelled === undefined ? undefined : labelsIn(tensors.get(labelled), classes);
  if (labelled === undefined) checkValues(tensors.get(metadata.outputs.logits ?? "")?.data, url);
  else tensors.delete(labelled);
  rankingOf(tensors, metadata, asked, {});
  return { answerMs, labels };
}

/** Probabilities that are called logits would go through softmax twice. */
function checkValues(data: ArrayLike<unknown> | undefined, url: string): void {
  if (data === undefined) return;
  const values = Array.from(data, Number);
  const sum = values.reduce((total, value) => total + value, 0);
  const looksLike = values.every((value) => value >= 0 && value <= 1) && Math.abs(sum - 1) < 1e-3;
  if (looksLike) throw mismatch("its logits are probabilities; name that output `probabilities`", url);
}

/** Where a proxy lets only `/v2` through, nothing is known beyond the metadata. */
async function statusOf(look: Look): Promise<Readonly<Record<string, unknown>>> {
  const reply = await get(look, `/status?model=${encodeURIComponent(look.settings.model)}`);
  const { network } = reply.status === 200 ? parseRecord(reply.body.toString()) : {};
  return isRecord(network) ? network : {};
}

async function json(look: Look, path: string): Promise<Readonly<Record<string, unknown>>> {
  const reply = await get(look, path);
  if (reply.status === 200) {
    const value = parseRecord(reply.body.toString());
    if (Object.keys(value).length > 0) return value;
    throw malformed(`${look.url}${path} gave no JSON object`);
  }
  const { error } = failureOfReply(reply, look.url, "");
  if (error.code !== "WORKER_ERROR") throw error;
  throw new IsotorchError("REMOTE_REFUSED", error.message);
}

function get({ connections, signal }: Look, path: string): Promise<Reply> {
  return connections.send({ method: "GET", path, signal });
}
