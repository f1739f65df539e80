/** From the option `remote` to servers that were looked at, and what is known of them. */
import { readFile } from "node:fs/promises";
import { IsotorchError, abortError } from "../base/errors.ts";
import { referenceDigests } from "../image/attest/built-in.ts";
import type { Logger } from "../base/logger.ts";
import type { TransformsName } from "../checkpoints/resolve.ts";
import type { Handoff } from "../protocol/messages.ts";
import type { WorkerOptions } from "../worker/options.ts";
import { PACKAGE_VERSION } from "../base/version.ts";
import { isRecord } from "../base/files/json.ts";
import { specOf } from "../checkpoints/table.ts";
import { DEFAULT_POLICY } from "../worker/supervision/policy.ts";
import type { WorkerInfo } from "../worker/start.ts";
import type { Phase } from "../backend.ts";
import { Endpoint } from "./endpoint.ts";
import type { ServedModel } from "./served-model.ts";
import { CLASSES, mismatch } from "./model-metadata.ts";
import { RemotePool } from "./pool.ts";
import { remoteSettings } from "./options.ts";
import type { RemoteOptions, RemoteSettings } from "./options.ts";

const LABELS = new URL("../../models/imagenet_classes.txt", import.meta.url);

/** What of a classifier's options belongs to servers elsewhere. */
export interface RemoteStart extends Pick<WorkerOptions, "queue" | "signal"> {
  readonly remote?: string | readonly string[] | RemoteOptions;
  readonly transforms?: TransformsName;
  readonly handoff?: Handoff;
  readonly logger?: Logger;
}

/** @throws IsotorchError why no server, or not all of them, can be used. Nothing is left behind. */
export async function startRemote(
  options: RemoteStart,
  onPhase: (phase: Phase) => void,
): Promise<{ readonly pool: RemotePool; readonly info: () => Omit<WorkerInfo, "attestation"> }> {
  const settings = remoteSettings(options.remote ?? []);
  const { transforms, handoff = "tensor", logger } = options;
  let reference: { readonly model: ServedModel; readonly url: string } | undefined;
  let pool: RemotePool | undefined;
  const endpoints = settings.urls.map(
    (url) =>
      new Endpoint({
        url,
        settings,
        transforms,
        compare: (model) => {
          checkHandoff(model, handoff, url);
          reference ??= { model, url };
          checkSame(reference, { model, url });
        },
        onChange: ({ isUp, lastFailure }) => {
          if (isUp) logger?.info(`${url} answers`);
          else logger?.warn(`${url} is left alone for a while: ${lastFailure?.message ?? "it went away"}`);
          pool?.changed();
        },
      }),
  );
  await lookedAt(endpoints, options.signal);
  const { model, url } = reference ?? unseen();
  const categories = model.labels ?? (await packageLabels());
  const queue = {
    maxRequests: DEFAULT_POLICY.maxRequests,
    maxBytes: DEFAULT_POLICY.maxBytes,
    ...options.queue,
  };
  const attestation = model.attestation
    ? ({ source: "server", digests: model.attestation } as const)
    : ({ source: "reference", digests: referenceDigests() } as const);
  const ready = { spec: specOf(model.transforms), categories, models: [settings.model], attestation };
  pool = new RemotePool({ settings, endpoints, ready, queue, onPhase });
  return { pool, info: () => describe(model, url, settings, handoff) };
}

/** Looks at all of them: one that is not there now may come later, one that holds something else is a mistake. */
async function lookedAt(endpoints: readonly Endpoint[], signal: AbortSignal | undefined): Promise<void> {
  const aborted = signal ?? new AbortController().signal;
  const looks = await Promise.allSettled(endpoints.map((endpoint) => endpoint.look(aborted)));
  const errors = looks.flatMap((look) => (look.status === "rejected" ? [look.reason as unknown] : []));
  const isFatal = (error: unknown): boolean => !(error instanceof IsotorchError) || FATAL.has(error.code);
  const reason = errors.find(isFatal) ?? (errors.length === endpoints.length ? errors[0] : undefined);
  if (signal?.aborted !== true && reason === undefined) return;
  for (const endpoint of endpoints) endpoint.close();
  throw signal?.aborted === true ? abortError(signal) : reason;
}

const FATAL = new Set(["REMOTE_MISMATCH", "REMOTE_REFUSED", "PROTOCOL_ERROR"]);

function checkHandoff({ metadata }: ServedModel, handoff: Handoff, url: string): void {
  if (metadata.inputs[handoff] !== undefined) return;
  const why = metadata.isOurs
    ? "it has no such input"
    : `${metadata.server.name} may mean something else by it`;
  throw mismatch(`handoff is ${handoff}, and ${why}`, url);
}

/** Two networks behind one classifier would answer one picture in two ways. */
function checkSame(
  one: { readonly model: ServedModel; readonly url: string },
  other: { readonly model: ServedModel; readonly url: string },
): void {
  if (JSON.stringify(one.model.attestation) !== JSON.stringify(other.model.attestation))
    throw mismatch(`its Pillow reads or resizes pictures otherwise than that of ${one.url}`, other.url);
  for (const name of ["sha256", "precision", "threads", "device", "versions"] as const) {
    const [here, there] = [one, other].map(({ model }) => JSON.stringify(model.network[name]));
    if (here !== there)
      throw mismatch(
        `its ${name} is ${there ?? "unknown"}, and that of ${one.url} is ${here ?? "unknown"}`,
        other.url,
      );
  }
  if (one.model.transforms !== other.model.transforms)
    throw mismatch(
      `its preprocessing is ${other.model.transforms}, that of ${one.url} ${one.model.transforms}`,
      other.url,
    );
  if (one.model.metadata.server.name !== other.model.metadata.server.name)
    throw mismatch(
      `it is ${other.model.metadata.server.name}, and ${one.url} is ${one.model.metadata.server.name}`,
      other.url,
    );
  if (one.model.labels?.join("\n") !== other.model.labels?.join("\n"))
    throw mismatch(`its labels are not those of ${one.url}`, other.url);
}

async function packageLabels(): Promise<readonly string[]> {
  const text = await readFile(LABELS, "utf8");
  return text.trimEnd().split("\n");
}

function describe(
  { metadata, network, labels, transforms, answerMs }: ServedModel,
  url: string,
  { urls }: RemoteSettings,
  handoff: Handoff,
): Omit<WorkerInfo, "attestation"> {
  const text = (name: string): string => (typeof network[name] === "string" ? network[name] : "unknown");
  const { name: server, version } = metadata.server;
  return {
    package: PACKAGE_VERSION,
    protocol: 2,
    pid: 0,
    python: "unknown",
    executable: "unknown",
    environment: "remote",
    environmentReason: "the server has its own",
    versions: textsOf(network["versions"]),
    device: text("device"),
    deviceName: text("deviceName"),
    deviceReason: `${server} ${version} at ${url} chose it`,
    threads: typeof network["threads"] === "number" ? network["threads"] : 0,
    threadsReason: text("threadsReason"),
    precision: text("precision"),
    handoff,
    model: "resnet101",
    weights: {
      name: text("weights"),
      path: "",
      sha256: text("sha256"),
      trained: typeof network["trained"] === "boolean" ? network["trained"] : null,
      transforms,
    },
    spec: specOf(transforms),
    maxBatch: 1,
    classes: CLASSES,
    warmupMs: answerMs,
    workers: [],
    remote: {
      urls,
      server: metadata.server,
      inputs: metadata.inputs,
      outputs: metadata.outputs,
      percentages:
        metadata.outputs.probabilities === undefined ? "node" : metadata.isOurs ? "torch" : "server",
      labels: labels === undefined ? "package" : "server",
    },
  };
}

function textsOf(value: unknown): Readonly<Record<string, string>> {
  const entries = Object.entries(isRecord(value) ? value : {});
  return Object.fromEntries(
    entries.filter((entry): entry is [string, string] => typeof entry[1] === "string"),
  );
}

function unseen(): never {
  throw new Error("a server was looked at without being compared");
}
