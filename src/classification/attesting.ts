/** What Node may do for whoever answers: compared anew for each worker that gets ready. */
import type { ClassifierNetwork } from "../backend.ts";
import { type Attestation, type AttestedEnvironment, attest } from "../image/attest/attestation.ts";
import type { Digests, OwnDigests } from "../image/attest/built-in.ts";
import type { Logger } from "./options.ts";

/** @returns what holds for the network as it is now; one line of the log whenever that is compared. */
export function attesting(
  network: () => ClassifierNetwork,
  own: OwnDigests,
  logger: Logger | undefined,
): () => AttestedEnvironment {
  let asked: readonly Digests[] = [];
  let found: AttestedEnvironment | undefined;
  return () => {
    const { spec, attestedBy, digests: now } = network();
    const isKnown = now.length === asked.length && now.every((one, at) => one === asked[at]);
    if (found !== undefined && isKnown) return found;
    const digests = common(now);
    found = { ...attest(digests, own, spec, attestedBy), digests };
    asked = [...now];
    logger?.info(attestationText(found));
    return found;
  };
}

/** What all of them say: a call may go to any, also where the environment was changed between their starts. */
function common([first = {}, ...others]: readonly Digests[]): Digests {
  return Object.fromEntries(
    Object.entries(first).filter(([name, digest]) => others.every((other) => other[name] === digest)),
  );
}

/** One line for people. */
export function attestationText({ source, node, worker, resize }: Attestation): string {
  const whose = {
    worker: "this environment's Pillow and torchvision",
    server: "the server's Pillow and torchvision",
    reference: "Pillow 9 to 12 on libjpeg-turbo, because there was no environment to ask",
  }[source];
  const left =
    worker.length === 0
      ? "all are equal to the last byte"
      : `these differ and are left to them: ${worker.join(", ")}`;
  const vertical = Object.keys(resize).filter((name) => resize[name] === "vertical");
  const order = vertical.length === 0 ? "" : `; resized vertically first: ${vertical.join(", ")}`;
  return `Compared ${node.length + worker.length} kinds of pictures and steps with ${whose}: ${left}${order}.`;
}
