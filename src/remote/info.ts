/** What is known of servers elsewhere: what they say, and what Node knows by itself. */
import { isRecord } from "../base/files/json.ts";
import { PACKAGE_VERSION } from "../base/version.ts";
import type { TransformsName } from "../checkpoints/resolve.ts";
import { defaultTimeoutMs } from "../checkpoints/deadline.ts";
import type { AttestedEnvironment } from "../image/attest/attestation.ts";
import type { Handoff, WireSpec } from "../protocol/messages.ts";
import type { ServedModel } from "./model/served.ts";
import { CLASSES } from "./model/metadata.ts";
import type { RemoteSettings } from "./options.ts";

/** What runs at remote servers. What they do not say is absent: third-party servers say little of their network. */
export interface RemoteClassifierInfo {
  /** Of this package, here. */
  readonly package: string;
  /** Tells servers elsewhere from workers of this machine. */
  readonly environment: "remote";
  readonly environmentReason: string;
  /** torch, torchvision, pillow, cuda and the like; empty where the server says none. */
  readonly versions: Readonly<Record<string, string>>;
  readonly device?: string;
  readonly deviceName?: string;
  /** Who chose the device. */
  readonly deviceReason: string;
  /** PyTorch's CPU threads. */
  readonly threads?: number;
  readonly threadsReason?: string;
  readonly precision?: string;
  /** What crosses to the server. */
  readonly handoff: Handoff;
  /** The network; `remote.model` is the name that the server has for it. */
  readonly model?: string;
  readonly weights: {
    /** Of a custom file without its folder. */
    readonly name?: string;
    readonly sha256?: string;
    /** False for `untrained:SEED`: its answers mean nothing. Null where the server does not say it, or does not know. */
    readonly trained: boolean | null;
    /** The weights whose preprocessing the pictures get; null for one's own. */
    readonly transforms: TransformsName | null;
  };
  readonly spec: WireSpec;
  /** Classes of the network. */
  readonly classes: number;
  /** Values of an embedding, where the server gives some. */
  readonly embedding?: number;
  /** What a call has that says no `timeoutMs` itself, milliseconds: the larger the network, the longer. */
  readonly timeoutMs: number;
  /** Milliseconds of the one answer that was asked for at the start. */
  readonly warmupMs: number;
  /** Which kinds of pictures and steps Node does, byte for byte as the server does them, and which it leaves to it. */
  readonly attestation: AttestedEnvironment;
  /** Which servers answer, and how the percentages come about. */
  readonly remote: RemoteInfo;
}

/** What is known of remote servers. */
export interface RemoteInfo {
  readonly urls: readonly string[];
  /** What the server says of itself: `isotorch`, `triton` and the like. */
  readonly server: { readonly name?: string; readonly version?: string };
  /** The name under which the servers have the network. */
  readonly model: string;
  /** Names of its inputs and outputs, by what they hold. */
  readonly inputs: Readonly<Record<string, string>>;
  readonly outputs: Readonly<Record<string, string>>;
  /** `torch`: the bits of an isotorch server's softmax; `server`: a softmax of its own; `node`: float32 softmax computed here from its logits. */
  readonly percentages: "torch" | "server" | "node";
  /** Whose class names are shown: the server's, ImageNet's of this package, or numbers, where the network has not its thousand classes. */
  readonly labels: "server" | "package" | "numbers";
}

/** @param model of the server at `url`; the others were compared with it. */
export function describe(
  { metadata, network, labels, transforms, spec, answerMs }: ServedModel,
  url: string,
  { urls, model: nameThere }: RemoteSettings,
  handoff: Handoff,
): Omit<RemoteClassifierInfo, "attestation"> {
  const { device, deviceName, threadsReason, precision, model, weights: name, sha256 } = textsIn(network);
  const { threads, trained } = network;
  const server = [metadata.server.name ?? "the server", metadata.server.version].filter(Boolean).join(" ");
  return {
    package: PACKAGE_VERSION,
    environment: "remote",
    environmentReason: "the server has its own",
    versions: textsIn(network["versions"]),
    ...(device !== undefined && { device }),
    ...(deviceName !== undefined && { deviceName }),
    deviceReason: `${server} at ${url} chose it`,
    ...(typeof threads === "number" && { threads }),
    ...(threadsReason !== undefined && { threadsReason }),
    ...(precision !== undefined && { precision }),
    handoff,
    ...(model !== undefined && { model }),
    weights: {
      ...(name !== undefined && { name }),
      ...(sha256 !== undefined && { sha256 }),
      trained: typeof trained === "boolean" ? trained : null,
      transforms,
    },
    spec,
    classes: metadata.classes,
    ...(metadata.embedding !== undefined && { embedding: metadata.embedding }),
    timeoutMs: defaultTimeoutMs(model ?? nameThere),
    warmupMs: answerMs,
    remote: {
      urls,
      server: metadata.server,
      model: nameThere,
      inputs: metadata.inputs,
      outputs: metadata.outputs,
      percentages:
        metadata.outputs.probabilities === undefined ? "node" : metadata.isOurs ? "torch" : "server",
      labels: labels !== undefined ? "server" : metadata.classes === CLASSES ? "package" : "numbers",
    },
  };
}

/** What of a server's answer is text, by its name. */
function textsIn(value: unknown): Readonly<Record<string, string>> {
  const entries = Object.entries(isRecord(value) ? value : {});
  return Object.fromEntries(
    entries.filter((entry): entry is [string, string] => typeof entry[1] === "string"),
  );
}
