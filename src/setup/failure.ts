import { excerpt, shown } from "../base/text/shown.ts";
import { statusText } from "../base/status.ts";
import { IsotorchError } from "../base/errors.ts";
import { type CommandResult, quoted } from "../python/command.ts";
import { type Step, typed, type Way } from "./plan.ts";
import { messageIn } from "./report.ts";

/** What apt, pip and the conda family print when they reach no server. */
const UNREACHABLE = [
  /Temporary failure (in name resolution|resolving)/i,
  /Could not (resolve|connect)|Unable to connect|Failed to establish a new connection/i,
  /Network is unreachable|No route to host|Connection (refused|timed out|failed|reset)/i,
  /Name or service not known|nodename nor servname|getaddrinfo failed/i,
  /Max retries exceeded|ProxyError|ConnectTimeout|ReadTimeoutError/,
  /CondaHTTPError|HTTP 000 CONNECTION FAILED|CondaSSLError|Could(n't| not) resolve host/i,
  /certificate verify failed|SSLError/i,
];
const NOT_FOUND =
  /Unable to locate package|has no installation candidate|No matching distribution|ResolvePackageNotFound|NoPackagesFoundError|PackagesNotFoundError|nothing provides/i;
const LOCKED = /Could not get lock|Unable to acquire the dpkg|is another process using it/i;
const DAMAGED = /appears to be corrupted|CorruptedEnvironmentError|ChecksumMismatchError/;
const FULL = /No space left on device|Errno 28|not enough free space/i;

/** A solver may tell of hundreds of conflicts. */
const LONGEST_MESSAGE = 2_000;

const REGISTRY: Readonly<Record<Way, string>> = {
  apt: "Debian's package servers",
  venv: "the Python package index",
  conda: "the conda channels",
};

/** How each is told of a mirror, where the network does not reach the servers themselves. */
const MIRROR: Readonly<Record<Way, string>> = {
  apt: "a mirror in /etc/apt/sources.list",
  venv: "a mirror in PIP_INDEX_URL, such as https://pypi.tuna.tsinghua.edu.cn/simple",
  conda:
    "mirrors of conda-forge and pytorch in custom_channels of ~/.condarc (docs/environments.md, Mirrors)",
};

/** Whether a command's output tells that a server could not be reached. */
export function isUnreachable({ stdout, stderr }: CommandResult): boolean {
  return UNREACHABLE.some((pattern) => pattern.test(stderr) || pattern.test(stdout));
}

/**
 * The `SETUP_FAILED` that a failed step means, in one sentence. `wasUnreachable` tells that an earlier step did not
 * reach its server, which is then the reason why this one finds nothing.
 */
export function stepFailure(
  via: Way,
  step: Step,
  result: CommandResult,
  wasUnreachable: boolean,
): IsotorchError {
  const said = `${result.stderr}\n${result.stdout}`;
  const command = typed(step);
  const stderr = result.stderr.slice(-4096);
  const fail = (message: string, hint: string): IsotorchError =>
    new IsotorchError("SETUP_FAILED", message, { hint, stderr });

  if (result.outcome === "not-started") {
    return fail(
      `${shown(step.file)} cannot be started (${excerpt(result.stderr)}).`,
      `Run it by hand to see why: ${command}`,
    );
  }
  if (FULL.test(said))
    return fail("The disk is full.", `Make room, then repeat: isotorch setup --via ${via}`);
  if (LOCKED.test(said)) {
    return fail(
      "Another package manager is at work and holds the lock.",
      `Wait for it, then: isotorch setup --via ${via}`,
    );
  }
  if (isUnreachable(result) || (wasUnreachable && NOT_FOUND.test(said))) {
    return fail(
      `${REGISTRY[via]} could not be reached.`.replace(/^t/, "T"),
      `Check the network or the proxy (HTTPS_PROXY), or name ${MIRROR[via]}; then repeat: isotorch setup --via ${via}`,
    );
  }
  if (NOT_FOUND.test(said)) {
    // pip without retries says nothing of a server that it did not reach.
    return via === "venv"
      ? fail(
          "The Python package index has no PyTorch for this machine, or was not reached.",
          `Check the network, name ${MIRROR[via]}, or try: isotorch setup --via conda`,
        )
      : fail(
          `${REGISTRY[via].replace(/^t/, "T")} do not have what is needed for this machine.`,
          "Try another way: isotorch setup --via venv",
        );
  }
  if (DAMAGED.test(said)) {
    const first = messageIn(result.stdout)?.split("\n")[0] ?? "";
    return fail(
      `A package in conda's cache is damaged. ${first}`.trim(),
      `Take it out with: ${quoted(step.file)} clean -y --packages; then repeat: isotorch setup --via ${via}`,
    );
  }
  const status = result.code === null ? "was killed" : `ended with exit status ${statusText(result.code)}`;
  const message = messageIn(result.stdout);
  if (message !== undefined) {
    const whole = message.slice(0, LONGEST_MESSAGE).replaceAll("\n", "\n    ");
    return fail(
      `\`${command}\` ${status}:\n    ${whole}`,
      `Do what it says, then repeat: isotorch setup --via ${via}\nRun it by hand to see all of it: ${command}`,
    );
  }
  const last = said.trim().split("\n").findLast(isComplaint)?.trim();
  return fail(
    `\`${command}\` ${status}${last ? ` (${excerpt(last)})` : ""}.`,
    `Run it by hand to see all of it: ${command}`,
  );
}

function isComplaint(line: string): boolean {
  return /error|^E:/i.test(line);
}
