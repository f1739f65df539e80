/** What is needed to reproduce a run, as one JSON file. */
import { shown } from "../../base/text/shown.ts";
import { readFile } from "node:fs/promises";
import { cpus, release } from "node:os";
import { IsotorchError, messageOf } from "../../base/errors.ts";
import type { ClassifierInfo } from "../../classification/info.ts";
import type { AttestedEnvironment } from "../../image/attest/attestation.ts";
import { decoderVersions } from "../../image/decode/decode.ts";
import type { Handoff } from "../../classification/options.ts";
import { PACKAGE_VERSION } from "../../base/version.ts";
import { knownModel } from "../../checkpoints/table.ts";
import { hashFile } from "../../checkpoints/download.ts";
import { writeOutput } from "../../base/files/output.ts";
import { isRecord, parseJson } from "../../base/files/json.ts";
import type { WireSpec } from "../../protocol/messages.ts";

/** A picture by its name and what it holds. */
export interface ManifestPicture {
  readonly name: string;
  /** Of the encoded file, lower-case hex. */
  readonly sha256: string;
}

export interface Manifest {
  /** Of this format. */
  readonly manifest: 1;
  readonly isotorch: string;
  readonly node: string;
  /** Operating system and architecture, such as `linux x64`. */
  readonly platform: string;
  readonly kernel: string;
  readonly cpu: string;
  /** Absent, as what is optional below, where a remote server does not say it. */
  readonly model?: string | undefined;
  readonly weights: {
    readonly name?: string | undefined;
    readonly sha256?: string | undefined;
    readonly transforms: string | null;
    /** How surely the file was the one that was meant. */
    readonly integrity?: string | undefined;
    /** Where in the file the state dict was, and what was in front of its names, if anything. */
    readonly checkpointKey?: string | undefined;
    readonly prefix?: string | undefined;
    /** What was decided of the file where it leaves something open: of its head, of auxiliary ones. */
    readonly remarks?: readonly string[] | undefined;
  };
  /** Classes of the network. */
  readonly classes: number;
  /** The layer that made the logits, by torchvision's name for it, and how many values went into it. */
  readonly head?: { readonly name: string; readonly type: string; readonly features: number } | undefined;
  /** The Python side: python, torch, torchvision, pillow, libjpeg, onednn, cuda and the like. */
  readonly versions: Readonly<Record<string, string>>;
  /** The Node side: sharp, libvips and the libraries in it. */
  readonly decoder: Readonly<Record<string, string>>;
  readonly device?: string | undefined;
  readonly deviceName?: string | undefined;
  readonly threads?: number | undefined;
  readonly precision?: string | undefined;
  readonly handoff: Handoff;
  readonly spec: WireSpec;
  /** What Node did itself, what it left to the environment, and what that made of each kind and step. */
  readonly attestation: AttestedEnvironment;
  readonly pictures: readonly ManifestPicture[];
}

/** What a worker does not know of its run. */
export interface ManifestRun {
  readonly handoff: Handoff;
  readonly pictures: readonly ManifestPicture[];
}

/** The manifest of a run: every value is measured or answered, none assumed. */
export function createManifest(info: ClassifierInfo, { handoff, pictures }: ManifestRun): Manifest {
  const { name, sha256, transforms } = info.weights;
  const own = info.environment === "remote" ? undefined : info;
  const { integrity, checkpointKey, prefix, remarks } = own?.weights ?? {};
  return {
    manifest: 1,
    isotorch: PACKAGE_VERSION,
    node: process.versions.node,
    platform: `${process.platform} ${process.arch}`,
    kernel: release(),
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    model: info.model,
    weights: { name, sha256, transforms, integrity, checkpointKey, prefix, remarks },
    classes: info.classes,
    // Of a server's network the name alone is known, if that.
    head: own && { ...knownModel(own.model).head, features: own.embedding },
    versions: info.versions,
    decoder: decoderVersions(),
    device: info.device,
    deviceName: info.deviceName,
    threads: info.threads,
    precision: info.precision,
    handoff,
    spec: info.spec,
    attestation: info.attestation,
    pictures,
  };
}

/** Hashes files. @throws IsotorchError `INPUT_UNREADABLE` for one that cannot be read. */
export async function hashPictures(
  files: Iterable<{ readonly name: string; readonly path: string }>,
  signal?: AbortSignal,
): Promise<ManifestPicture[]> {
  const pictures: ManifestPicture[] = [];
  for (const { name, path } of files) {
    const sha256 = await hashFile(path, signal).catch((cause: unknown) => {
      throw new IsotorchError("INPUT_UNREADABLE", `${shown(path)} cannot be read: ${messageOf(cause)}.`, {
        cause,
      });
    });
    pictures.push({ name, sha256 });
  }
  return pictures;
}

/** @throws IsotorchError `INVALID_OPTION` or `OUTPUT_FAILED` when the file cannot be written. */
export async function writeManifest(file: string, manifest: Manifest): Promise<void> {
  await writeOutput(file, `${JSON.stringify(manifest, undefined, 2)}\n`, "The manifest");
}

/** @throws IsotorchError `INPUT_NOT_FOUND`, or `INVALID_INPUT` for a file that is no manifest of this format. */
export async function readManifest(file: string): Promise<Manifest> {
  const text = await readFile(file, "utf8").catch((cause: unknown) => {
    throw new IsotorchError("INPUT_NOT_FOUND", `${shown(file)} cannot be read: ${messageOf(cause)}.`, {
      cause,
    });
  });
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (cause) {
    throw new IsotorchError("INVALID_INPUT", `${shown(file)} is not JSON: ${messageOf(cause)}.`, { cause });
  }
  if (
    isRecord(value) &&
    value["manifest"] === 1 &&
    isRecord(value["weights"]) &&
    isPictures(value["pictures"])
  ) {
    return value as object as Manifest; // everything else is compared as it is
  }
  throw new IsotorchError("INVALID_INPUT", `${shown(file)} is not a manifest of format 1.`, {
    hint: "`--manifest FILE` on classify, parity and eval writes one.",
  });
}

function isPictures(value: unknown): value is ManifestPicture[] {
  return (
    Array.isArray(value) &&
    value.every(
      (item) => isRecord(item) && typeof item["name"] === "string" && typeof item["sha256"] === "string",
    )
  );
}
