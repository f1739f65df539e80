/** Pictures without a network: Node's own work, attested by a worker that holds nothing, which does the rest. */
import { attestationText } from "./attesting.ts";
import { IsotorchError } from "./errors.ts";
import { decodeRequest, preprocessedBy, tensorOf } from "./handoff.ts";
import type { Payload } from "./handoff.ts";
import { type Attestation, attest } from "./image/attest/attestation.ts";
import { type Digests, referenceDigests } from "./image/attest/built-in.ts";
import { DEFAULT_LIMITS, type Limits } from "./image/limits.ts";
import { pictures } from "./image/pool.ts";
import type { ImageInput } from "./image/source.ts";
import type { Tensor } from "./image/tensor.ts";
import type { Logger, ResolvedClassifyOptions, TransformsName } from "./options.ts";
import { specOf } from "./worker/known.ts";
import type { Session } from "./worker/session.ts";
import { startDecoder } from "./worker/start.ts";
import { isPreferred } from "./worker/environment.ts";
import type { EnvironmentOptions } from "./worker/environment.ts";
import { frameOf, textsOf } from "./worker/wire.ts";

export interface DecoderOptions extends Pick<EnvironmentOptions, "python" | "env"> {
  readonly limits?: Partial<Limits>;
  readonly logger?: Logger;
}

/** Where there is no Python, there is no session. */
interface Asked {
  readonly session: Session | IsotorchError;
  readonly source: Attestation["source"];
  readonly digests: Digests;
}

export class Decoder {
  readonly #spec: ReturnType<typeof specOf>;
  readonly #session: Session | IsotorchError;
  readonly #attestation: Attestation;
  readonly #limits: Limits;
  readonly #leavePictures: () => Promise<void>;
  #lastId = 1;

  /** @throws IsotorchError what is wrong with the environment, unless none was found and none was asked for. */
  static async start(transforms: TransformsName, options: DecoderOptions): Promise<Decoder> {
    const leave = pictures.enter();
    try {
      const own = pictures.attest();
      own.catch(() => undefined);
      const spec = specOf(transforms);
      const { session, source, digests } = await ask(spec, options);
      const attestation = attest(digests, await own, spec, source);
      // Nobody was asked: that is no matter of course.
      options.logger?.[source === "reference" ? "warn" : "info"](attestationText(attestation));
      return new Decoder(spec, session, attestation, { ...DEFAULT_LIMITS, ...options.limits }, leave);
    } catch (error) {
      await leave();
      throw error;
    }
  }

  private constructor(
    spec: ReturnType<typeof specOf>,
    session: Session | IsotorchError,
    attestation: Attestation,
    limits: Limits,
    leavePictures: () => Promise<void>,
  ) {
    this.#spec = spec;
    this.#session = session;
    this.#attestation = attestation;
    this.#limits = limits;
    this.#leavePictures = leavePictures;
  }

  /** False once its worker has ended. */
  get isAlive(): boolean {
    return this.#session instanceof IsotorchError || this.#session.end === undefined;
  }

  /** What the network would see. @throws IsotorchError */
  tensorOf(
    image: ImageInput,
    call: ResolvedClassifyOptions,
    signal: AbortSignal,
  ): Promise<Pick<Payload, "by"> & { readonly tensor: Tensor }> {
    const [spec, limits, session] = [this.#spec, this.#limits, this.#session];
    return tensorOf(image, call, {
      spec,
      limits,
      attestation: this.#attestation,
      signal,
      prepare: (job) => pictures.run(job, signal),
      hasEnvironment: true,
      environment: async (bytes, picture) => {
        if (session instanceof IsotorchError) throw session;
        const id = ++this.#lastId;
        return preprocessedBy(
          await session.request(...decodeRequest(bytes, call, { spec, limits }, picture), id),
        );
      },
    });
  }

  async close(): Promise<void> {
    if (!(this.#session instanceof IsotorchError)) await this.#session.close();
    await this.#leavePictures();
  }
}

async function ask(spec: ReturnType<typeof specOf>, options: DecoderOptions): Promise<Asked> {
  const isFree = !options.python && !options.env && !process.env["ISOTORCH_PYTHON"];
  let session: Session;
  try {
    session = await startDecoder(options);
  } catch (error) {
    const isNone = error instanceof IsotorchError && error.code === "ENVIRONMENT_NOT_FOUND";
    if (!isNone || !isFree || (await isPreferred())) throw error;
    return { session: error, source: "reference", digests: referenceDigests() };
  }
  try {
    const reply = await session.request("attest", { spec }, [], 1);
    return { session, source: "worker", digests: textsOf(frameOf(reply, "attestation")) };
  } catch (error) {
    await session.kill();
    throw error;
  }
}
