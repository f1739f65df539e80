/** What an environment really can, found out by importing everything and computing something. Takes seconds. */
import { runCommand } from "./command.ts";
import type { Environment } from "./environment.ts";
import { statusText } from "../base/status.ts";
import { isRecord } from "../base/files/json.ts";
import { printedRecord } from "./answer.ts";
import { lastLine } from "../base/crash.ts";
import { scriptArguments, WORKER_SCRIPT } from "./script.ts";

/** What the examination found. What failed is missing and has its reason among the `errors`. */
export interface Examination {
  /** Versions and build facts by name, as text. */
  readonly facts: Readonly<Record<string, string>>;
  /** What failed, by what was attempted: a module's name, `cuda`, `kernel`, `numpyBridge`; `python`
   * where the process ended before any attempt. */
  readonly errors: Readonly<Record<string, string>>;
  readonly versions: Readonly<Record<string, string>>;
  readonly machine: {
    readonly system: string;
    readonly processor: string;
    readonly bits: number;
    readonly translated: boolean;
  };
  readonly userSite: { readonly path: string; readonly packages: readonly string[] };
  /** What PyTorch was built with; `undefined` where it cannot be imported. */
  readonly cuda:
    | {
        /** Such as `11.3`; `null` for a CPU build. */
        readonly builtFor: string | null;
        readonly available: boolean;
        readonly warnings: readonly string[];
        /** Such as `sm_61`; empty where no device answers. */
        readonly archList: readonly string[];
        readonly devices: readonly string[];
        /** Such as `6.1`, one for each device. */
        readonly capabilities: readonly string[];
      }
    | undefined;
  /** The convolution that was computed; `undefined` where it failed. */
  readonly kernel:
    | {
        readonly device: string;
        readonly name: string;
        readonly reason: string;
        readonly milliseconds: number;
      }
    | undefined;
  /** What multiplies matrices on the CPU; `undefined` where it did not. */
  readonly blas:
    | {
        /** Such as `reference BLAS: blas/libblas.so.3.11.0`. */
        readonly library: string;
        /** Rows, and columns, of the two float32 matrices that were multiplied. */
        readonly size: number;
        readonly milliseconds: number;
        /** 1e9 operations a second. */
        readonly gflops: number;
      }
    | undefined;
  /** What its Pillow and torchvision make of the attestation's pictures; `undefined` where they cannot be imported. */
  readonly digests: Readonly<Record<string, string>> | undefined;
}

/** What the worker prints before each attempt, which may be its last. */
const TRYING = /^isotorch_worker: trying (\S+)\r?\n/gm;
const IMPORT_TIMEOUT_MS = 120_000;

/** Examines an environment. `device` is what was asked for: `auto`, `cpu`, `cuda` or `cuda:N`. Never rejects. */
export async function examinePython(
  { python, variables }: Environment,
  device: string,
): Promise<Examination> {
  const { code, outcome, bytes, stderr } = await runCommand(
    python,
    scriptArguments(WORKER_SCRIPT, "probe", "--import", "--device", device),
    { env: { ...process.env, ...variables }, timeoutMs: IMPORT_TIMEOUT_MS },
  );
  const printed = printedRecord(bytes);
  if (code === 0 && isRecord(printed.record?.["errors"])) return parseExamination(printed.record);
  const broken = code === 0 && printed.record === undefined ? printed.broken : "";
  const said = broken || lastLine(stderr.replaceAll(TRYING, ""));
  const at = [...stderr.matchAll(TRYING)].at(-1)?.[1] ?? "python";
  const ended = `importing everything ended with ${outcome} (${code === null ? "a signal" : statusText(code)})${said && `: ${said}`}`;
  return parseExamination({ errors: { [at]: ended } });
}

/** An answer of the worker's `probe --import`, as it prints it. */
export function parseExamination(answer: Record<string, unknown>): Examination {
  const {
    errors,
    versions,
    machine,
    userSite,
    torch,
    kernel,
    product,
    pillow,
    attestation,
    watch: _,
    ...rest
  } = answer;
  const [computer, cuda, ran] = [record(machine), record(torch), record(kernel)];
  const blas = blasOf(cuda["blas"], record(product));
  return {
    facts: {
      ...texts(rest),
      ...texts(versions),
      ...texts(computer),
      ...texts(cuda),
      ...(isRecord(torch) && cuda["cuda"] === null && { cuda: "none" }),
      ...(blas && { product: productText(blas) }),
      ...texts(pillow),
      ...(isRecord(kernel) && {
        kernel: `${String(ran["device"])} (${String(ran["name"])}) in ${String(ran["milliseconds"])} ms: ${String(ran["reason"])}`,
      }),
    },
    errors: texts(errors),
    versions: texts(versions),
    machine: {
      system: text(computer["system"]),
      processor: text(computer["processor"]),
      bits: Number(computer["bits"] ?? 64),
      translated: computer["translated"] === true,
    },
    userSite: { path: text(record(userSite)["path"]), packages: list(record(userSite)["packages"]) },
    cuda: isRecord(torch)
      ? {
          builtFor: typeof cuda["cuda"] === "string" ? cuda["cuda"] : null,
          available: cuda["cudaAvailable"] === true,
          warnings: list(cuda["cudaWarnings"]),
          archList: list(cuda["archList"]),
          devices: list(cuda["devices"]),
          capabilities: list(cuda["capabilities"]),
        }
      : undefined,
    kernel: isRecord(kernel)
      ? {
          device: String(ran["device"]),
          name: String(ran["name"]),
          reason: String(ran["reason"]),
          milliseconds: Number(ran["milliseconds"]),
        }
      : undefined,
    blas,
    digests: isRecord(attestation) ? texts(attestation) : undefined,
  };
}

/** A product as one reads it: `256 x 256 float32 in 3.1 ms, 10.8 GFLOP/s`. */
export function productText({ size, milliseconds, gflops }: NonNullable<Examination["blas"]>): string {
  return `${size} x ${size} float32 in ${milliseconds} ms, ${gflops} GFLOP/s`;
}

function blasOf(library: unknown, product: Record<string, unknown>): Examination["blas"] {
  const { size, milliseconds, gflops } = product;
  if (typeof library !== "string" || typeof milliseconds !== "number") return undefined;
  return { library, size: Number(size), milliseconds, gflops: Number(gflops) };
}

function record(value: unknown): Record<string, unknown> {
  return isRecord(value) ? value : {};
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function list(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

function texts(value: unknown): Record<string, string> {
  if (!isRecord(value)) return {};
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== null && !isRecord(item) && !(Array.isArray(item) && item.length === 0))
      .map(([name, item]) => [name, Array.isArray(item) ? item.join(", ") : String(item)]),
  );
}
