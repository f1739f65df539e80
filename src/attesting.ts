/** What Node may do for whoever answers: compared anew for each worker that gets ready. */
import type { Backend } from "./backend.ts";
import { type Attestation, attest } from "./image/attest/attestation.ts";
import type { OwnDigests } from "./image/attest/built-in.ts";
import type { Logger } from "./options.ts";

/** @returns what holds for the backend as it is now; one line of the log whenever that is compared. */
export function attesting(
  backend: Pick<Backend, "ready">,
  own: OwnDigests,
  logger: Logger | undefined,
): () => Attestation {
  let asked: Backend["ready"] | undefined;
  let found: Attestation | undefined;
  return () => {
    const { ready } = backend;
    if (found !== undefined && asked === ready) return found;
    const { source, digests } = ready.attestation;
    found = attest(digests, own, ready.spec, source);
    asked = ready;
    logger?.info(attestationText(found));
    return found;
  };
}

/** One line for people. */
export function attestationText({ source, node, worker, resize }: Attestation): string {
  const whose = {
    worker: "this environment's Pillow and torchvision",
    server: "the server's Pillow and torchvision",
    reference: "Pillow 9 to 12 on libjpeg-turbo, because nobody could be asked",
  }[source];
  const left =
    worker.length === 0
      ? "all are equal to the last byte"
      : `these differ and are left to them: ${worker.join(", ")}`;
  const vertical = Object.keys(resize).filter((name) => resize[name] === "vertical");
  const order = vertical.length === 0 ? "" : `; resized vertically first: ${vertical.join(", ")}`;
  return `Compared ${node.length + worker.length} kinds of pictures and steps with ${whose}: ${left}${order}.`;
}
