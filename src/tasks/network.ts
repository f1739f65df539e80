/** What a load leaves behind, by what it was for: a worker's `ready` as values. */
import { frameOf, malformed, stringsOf, textsOf } from "../protocol/frames.ts";
import type { WirePictureNetwork, WireTextNetwork } from "../protocol/messages.ts";
import type { Digests } from "../image/attest/built-in.ts";
import type { MessageOf } from "../protocol/wire.ts";

/** An image classifier. */
export interface PictureNetwork extends WirePictureNetwork {
  /** Its labels, by index. */
  readonly categories: readonly string[];
  /** The tutorial's `dir(models)`. */
  readonly models: readonly string[];
  /** What its environment makes of the attestation's pictures. */
  readonly digests: Digests;
}

/** A network that continues texts. */
export type TextNetwork = WireTextNetwork;

export type Network = PictureNetwork | TextNetwork;

/** @throws IsotorchError `PROTOCOL_ERROR` */
export function networkOf(ready: MessageOf<"ready">): Network {
  const { network } = ready.fields;
  if (!("classes" in network)) return network;
  return {
    ...network,
    categories: stringsOf(frameOf(ready, "categories")),
    models: stringsOf(frameOf(ready, "models")),
    digests: textsOf(frameOf(ready, "attestation")),
  };
}

/** @throws IsotorchError `PROTOCOL_ERROR` for a worker that loaded a network of another kind than it was asked for. */
export function asPictureNetwork(network: Network): PictureNetwork {
  if ("classes" in network) return network;
  throw malformed("a network of texts was loaded where one of pictures was asked for");
}

/** @throws IsotorchError `PROTOCOL_ERROR` for a worker that loaded a network of another kind than it was asked for. */
export function asTextNetwork(network: Network): TextNetwork {
  if ("vocabulary" in network) return network;
  throw malformed("a network of pictures was loaded where one of texts was asked for");
}
