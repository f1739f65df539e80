/** Pictures without a network: Node's own work, attested by a worker that holds nothing, which does the rest. */
import { attestationText } from "./attesting.ts";
import { IsotorchError } from "../base/errors.ts";
import { tensorOf, toDecode } from "./handoff.ts";
import type { Payload } from "./handoff.ts";
import { type Attestation, attest } from "../image/attest/attestation.ts";
import { type Digests, referenceDigests } from "../image/attest/built-in.ts";
import { type Limits, limitsOf, type PartialLimits } from "../image/source/limits.ts";
import { pictures } from "../image/pool.ts";
import type { InputSpec } from "../image/resample/geometry.ts";
import type { ImageInput } from "../image/source/source.ts";
import type { Tensor } from "../image/tensor.ts";
import type { Logger, ResolvedClassifyOptions } from "./options.ts";
import { lastOf, written } from "../base/async/written.ts";
import { outgoing } from "../worker/outgoing.ts";
import type { Session } from "../worker/session.ts";
import { startDecoder } from "../worker/start.ts";
import { isPreferred } from "../python/environment.ts";
import type { EnvironmentOptions } from "../python/environment.ts";
import { type InputOf, type PartOf, type TaskName, TASKS } from "../tasks/registry.ts";
import type { Preprocessed, ToDecode } from "../tasks/decode.ts";

export interface DecoderOptions extends Pick<EnvironmentOptions, "python" | "env"> {
  readonly limits?: PartialLimits;
  readonly logger?: Logger;
}

/** Who was asked. Where there is no Python, there is no session. */
interface Asked {
  readonly session: Session | IsotorchError;
  readonly attestation: Attestation;
}

/**
 * A worker answers at once that a picture was cancelled. One that did not for so long is itself stuck, and is replaced:
 * no supervisor watches it.
 */
const GRACE_MS = 5_000;
/** Pictures at the worker at a time; it has at most as many processes for them. */
const MOST = 4;

export class Decoder {
  readonly #spec: InputSpec;
  readonly #options: DecoderOptions;
  readonly #limits: Limits;
  readonly #leavePictures: () => Promise<void>;
  #asked: Asked;
  /** Pictures at the worker; the others wait here, in their order. */
  #busy = 0;
  readonly #waiting: (() => void)[] = [];
  #asking: Promise<Session> | undefined;
  #lastId = 1;

  /** @throws IsotorchError what is wrong with the environment, unless none was found and none was asked for. */
  static async start(spec: InputSpec, options: DecoderOptions): Promise<Decoder> {
    const leave = pictures.enter();
    try {
      return new Decoder(spec, options, await ask(spec, options), leave);
    } catch (error) {
      await leave();
      throw error;
    }
  }

  private constructor(
    spec: InputSpec,
    options: DecoderOptions,
    asked: Asked,
    leavePictures: () => Promise<void>,
  ) {
    this.#spec = spec;
    this.#options = options;
    this.#limits = limitsOf(options.limits);
    this.#asked = asked;
    this.#leavePictures = leavePictures;
  }

  /** What the network would see. @throws IsotorchError */
  tensorOf(
    image: ImageInput,
    call: ResolvedClassifyOptions,
    signal: AbortSignal,
  ): Promise<Pick<Payload, "by"> & { readonly tensor: Tensor }> {
    const [spec, limits] = [this.#spec, this.#limits];
    return tensorOf(image, call, {
      spec,
      limits,
      attestation: this.#asked.attestation,
      signal,
      prepare: (job) => pictures.run(job, signal),
      hasEnvironment: true,
      environment: (bytes, picture) =>
        this.#inTurn(signal, toDecode(bytes, call, { spec, limits }, picture), call.timeoutMs || null),
    });
  }

  async close(): Promise<void> {
    const { session } = this.#asked;
    if (!(session instanceof IsotorchError)) await session.close();
    await this.#leavePictures();
  }

  async #inTurn(signal: AbortSignal, input: ToDecode, deadlineMs: number | null): Promise<Preprocessed> {
    if (this.#busy === MOST) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#busy += 1;
    try {
      signal.throwIfAborted();
      return await this.#preprocessed(signal, input, deadlineMs);
    } catch (error) {
      // Killed from outside, or stuck: another worker is asked, once.
      const isLost = error instanceof IsotorchError && error.code === "WORKER_DIED" && !signal.aborted;
      if (!isLost) throw error;
      return await this.#preprocessed(signal, input, deadlineMs);
    } finally {
      // The place goes to the next, or is free.
      const next = this.#waiting.shift();
      if (next === undefined) this.#busy -= 1;
      else next();
    }
  }

  async #preprocessed(
    signal: AbortSignal,
    input: ToDecode,
    deadlineMs: number | null,
  ): Promise<Preprocessed> {
    const session = await this.#session();
    const id = ++this.#lastId;
    let timer: NodeJS.Timeout | undefined;
    const onAbort = (): void => {
      session.cancel(id);
      timer = setTimeout(() => session.destroy("it did not say that a picture was cancelled"), GRACE_MS);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      return await answerOf(session, "decode", input, id, deadlineMs);
    } finally {
      signal.removeEventListener("abort", onAbort);
      clearTimeout(timer);
    }
  }

  /** The worker; another one in the place of one that has ended, which is asked what it does anew. */
  async #session(): Promise<Session> {
    const { session } = this.#asked;
    if (session instanceof IsotorchError) throw session;
    if (session.end === undefined) return session;
    // One for all that have lost theirs.
    this.#asking ??= this.#another().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #another(): Promise<Session> {
    this.#asked = await ask(this.#spec, this.#options);
    if (this.#asked.session instanceof IsotorchError) throw this.#asked.session;
    return this.#asked.session;
  }
}

async function ask(spec: InputSpec, options: DecoderOptions): Promise<Asked> {
  const own = pictures.attest();
  own.catch(() => undefined);
  const { session, source, digests } = await digestsOf(spec, options);
  try {
    const attestation = attest(digests, await own, spec, source);
    // Nobody was asked: that is no matter of course.
    options.logger?.[source === "reference" ? "warn" : "info"](attestationText(attestation));
    return { session, attestation };
  } catch (error) {
    if (!(session instanceof IsotorchError)) await session.kill();
    throw error;
  }
}

async function digestsOf(
  spec: InputSpec,
  options: DecoderOptions,
): Promise<{ session: Asked["session"]; source: Attestation["source"]; digests: Digests }> {
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
    return { session, source: "worker", digests: await answerOf(session, "attest", { spec }, 1) };
  } catch (error) {
    await session.kill();
    throw error;
  }
}

/** The answer of a task that has one part. */
function answerOf<N extends TaskName>(
  session: Session,
  task: N,
  input: InputOf<N>,
  id: number,
  deadlineMs: number | null = null,
): Promise<PartOf<N>> {
  const { contentOf, partOf } = TASKS[task];
  const request = outgoing(task, contentOf(input), deadlineMs, 0);
  return lastOf(written((write) => session.request(request, id, (reply) => write(partOf(reply)))));
}
