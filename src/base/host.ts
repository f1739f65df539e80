/** Who runs this program: the native libraries that it loads end Bun, and Deno does not give them all they need. */
import { IsotorchError } from "./errors.ts";

/** What of the running program is looked at. Tests put in another one. */
export interface Host {
  readonly versions: Readonly<Record<string, string | undefined>>;
  readonly Deno?: { readonly version?: { readonly deno?: string } };
}

function thisHost(): Host {
  const Deno: unknown = Reflect.get(globalThis, "Deno");
  return { versions: process.versions, ...(typeof Deno === "object" && Deno !== null && { Deno }) };
}

/** @throws IsotorchError `ENVIRONMENT_BROKEN` where this is not Node.js. */
export function requireNode(host: Host = thisHost()): void {
  const { versions, Deno } = host;
  const name =
    versions["bun"] !== undefined
      ? `Bun ${versions["bun"]}`
      : versions["deno"] !== undefined || Deno !== undefined
        ? `Deno ${versions["deno"] ?? Deno?.version?.deno ?? ""}`.trim()
        : undefined;
  if (name === undefined) return;
  throw new IsotorchError("ENVIRONMENT_BROKEN", `This is ${name}, and isotorch runs on Node.js only.`, {
    hint: "Start it with Node.js 20.17 or later: `node program.js`, `npx isotorch`",
  });
}
