/** Whether what belongs to the machine is as it should be, whatever is to be loaded. */
import { type Check, POSITIVE, WHOLE, either, fits, listOf, oneOf, whole } from "../../base/options/check.ts";
import { isRecord } from "../../base/files/json.ts";
import { DEFAULT_POLICY } from "../supervision/policy.ts";

const MOST_WORKERS = 64;
/** Numbers of the policy whose zero says something: never, at once, none. */
const ZERO_MEANS: readonly string[] = ["steadyMs", "maxExits", "idleShutdownMs", "maxWorkerBytes"];

const POLICY: Readonly<Record<string, Check>> = {
  ...Object.fromEntries(
    Object.keys(DEFAULT_POLICY).map((name) => [name, ZERO_MEANS.includes(name) ? WHOLE : POSITIVE]),
  ),
  restartDelaysMs: listOf(WHOLE, "a list of milliseconds", 1),
  redelivery: oneOf("once", "never"),
};
const ONE_DEVICE: Check = [
  '"auto", "cpu", "cuda", "cuda:N"',
  (value) => typeof value === "string" && /^(?:auto|cpu|cuda(?::\d+)?)$/.test(value),
];

export const DEVICE: Check = either(ONE_DEVICE, listOf(ONE_DEVICE, "a list of them", 1));
export const WORKERS: Check = whole(1, MOST_WORKERS);
/** 0, the default, is PyTorch's own choice. */
export const THREADS: Check = ["a whole number from 1 to 1024", whole(0, 1024)[1]];
export const SHA256: Check = [
  "64 hex digits",
  (value) => typeof value === "string" && /^[0-9a-f]{64}$/i.test(value),
];
export const LOGGER: Check = [
  "an object with debug, info, warn and error",
  (value) =>
    isRecord(value) && ["debug", "info", "warn", "error"].every((name) => typeof value[name] === "function"),
];
export const QUEUE: Check = [
  "an object with maxRequests and maxBytes as whole numbers from 1",
  (value) => fits(value, { maxRequests: POSITIVE, maxBytes: POSITIVE }),
];
export const SUPERVISION: Check = [
  `an object with names of SupervisionPolicy as whole numbers, from 1 but for ${ZERO_MEANS.join(", ")}`,
  (value) => fits(value, POLICY),
];
