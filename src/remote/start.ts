/** From the option `remote` to servers that were looked at, and what is known of them. */
import { readFile } from "node:fs/promises";
import { isDeepStrictEqual } from "node:util";
import { IsotorchError, abortError } from "../base/errors.ts";
import { referenceDigests } from "../image/attest/built-in.ts";
import type { Logger } from "../base/logger.ts";
import type { TransformsName } from "../checkpoints/resolve.ts";
import type { Handoff, WireSpec } from "../protocol/messages.ts";
import type { WorkerOptions } from "../worker/machine/options.ts";
import { DEFAULT_POLICY } from "../worker/supervision/policy.ts";
import type { ClassifierNetwork, Phase } from "../backend.ts";
import { Endpoint } from "./endpoint.ts";
import type { ServedModel } from "./model/served.ts";
import { CLASSES, mismatch } from "./model/metadata.ts";
import { describe } from "./info.ts";
import type { RemoteClassifierInfo } from "./info.ts";
import { RemotePool } from "./pool.ts";
import { remoteSettings } from "./options.ts";
import type { RemoteOptions } from "./options.ts";

const LABELS = new URL("../../models/imagenet_classes.txt", import.meta.url);

/** What of a classifier's options belongs to servers elsewhere. */
export interface RemoteStart extends Pick<WorkerOptions, "queue" | "signal"> {
  readonly remote?: string | readonly string[] | RemoteOptions;
  readonly transforms?: TransformsName | WireSpec;
  readonly handoff?: Handoff;
  /** Whether the caller names the classes. */
  readonly labels?: unknown;
  readonly logger?: Logger;
}

/** Servers that were looked at, and what is known of them. */
export interface StartedRemote {
  readonly pool: RemotePool;
  readonly info: () => Omit<RemoteClassifierInfo, "attestation">;
  readonly network: () => ClassifierNetwork;
}

/** @throws IsotorchError why no server, or not all of them, can be used. Nothing is left behind. */
export async function startRemote(
  options: RemoteStart,
  onPhase: (phase: Phase) => void,
): Promise<StartedRemote> {
  const settings = remoteSettings(options.remote ?? []);
  const { handoff = "tensor", logger } = options;
  const { transforms } = options;
  let reference: { readonly model: ServedModel; readonly url: string } | undefined;
  let pool: RemotePool | undefined;
  const endpoints = settings.urls.map(
    (url) =>
      new Endpoint({
        url,
        settings,
        transforms,
        isLabelled: options.labels !== undefined,
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
  const categories = model.labels ?? (await labelsFor(model.metadata.classes));
  const queue = {
    maxRequests: DEFAULT_POLICY.maxRequests,
    maxBytes: DEFAULT_POLICY.maxBytes,
    ...options.queue,
  };
  const attestation = model.attestation
    ? ({ source: "server", digests: model.attestation } as const)
    : ({ source: "reference", digests: referenceDigests() } as const);
  // Servers that differ are refused at the look.
  const network: ClassifierNetwork = {
    spec: model.spec,
    categories,
    models: [settings.model],
    attestedBy: attestation.source,
    digests: [attestation.digests],
  };
  pool = new RemotePool({ settings, endpoints, attestedBy: attestation.source, queue, onPhase });
  return { pool, info: () => describe(model, url, settings, handoff), network: () => network };
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
    : `${metadata.server.name ?? "that server"} may mean something else by it`;
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
  if (!isDeepStrictEqual(one.model.spec, other.model.spec))
    throw mismatch(`its preprocessing is not that of ${one.url}`, other.url);
  const [classes, others] = [one, other].map(({ model }) => model.metadata.classes);
  if (classes !== others)
    throw mismatch(`it has ${others ?? 0} classes, and ${one.url} has ${classes ?? 0}`, other.url);
  const [here, there] = [one, other].map(({ model }) => model.metadata.server.name);
  if (here !== there)
    throw mismatch(
      `it is ${there ?? "a server without a name"}, and ${one.url} is ${here ?? "a server without a name"}`,
      other.url,
    );
  if (one.model.labels?.join("\n") !== other.model.labels?.join("\n"))
    throw mismatch(`its labels are not those of ${one.url}`, other.url);
}

/** ImageNet's names for its thousand classes; for any other number none but numbers, as a worker has it. */
async function labelsFor(classes: number): Promise<readonly string[]> {
  if (classes !== CLASSES) return Array.from({ length: classes }, (_, index) => `class ${index}`);
  const text = await readFile(LABELS, "utf8");
  return text.trimEnd().split("\n");
}

function unseen(): never {
  throw new Error("a server was looked at without being compared");
}
