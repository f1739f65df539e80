/** What is installed with this package, and that installing it runs no script. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { expect, test } from "vitest";

interface Locked {
  readonly hasInstallScript?: boolean;
  readonly dev?: boolean;
  readonly engines?: { readonly node?: string };
  readonly resolved?: string;
  readonly integrity?: string;
}

const read = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../${name}`, import.meta.url), "utf8"));
const { packages } = read("package-lock.json") as { packages: Record<string, Locked> };
const { dependencies, engines } = read("package.json") as {
  dependencies: Record<string, string>;
  engines: { node: string };
};
const locked = Object.entries(packages).filter(([path]) => path !== "");

/** Packages that have an install script, and why it need not run. */
const NEEDLESS: Readonly<Record<string, string>> = {
  "node_modules/zeromq":
    "compiles where no prebuilt library fits; those for Linux, macOS and Windows are in it",
  "node_modules/msgpackr-extract":
    "an optional accelerator: msgpackr works without it, and uses prebuilt packages",
};

test("no install script is needed: each package that has one is on the list, with the reason", () => {
  const withScript = locked.filter(
    ([, { hasInstallScript, dev }]) => hasInstallScript === true && dev !== true,
  );
  expect(withScript.map(([path]) => path).toSorted()).toEqual(Object.keys(NEEDLESS).toSorted());
});

test("without their scripts the native libraries load", () => {
  const load = createRequire(import.meta.url);
  const { version } = load("zeromq") as { version: string };
  expect(version).toMatch(/^4\./);
  expect(load("sharp")).toBeTypeOf("function");
  expect(load("msgpackr")).toHaveProperty("pack");
});

test("the direct dependencies are these ten", () => {
  expect(Object.keys(dependencies).toSorted()).toEqual([
    "execa",
    "find-my-way",
    "hyparquet",
    "hyparquet-writer",
    "msgpackr",
    "picomatch",
    "proxy-from-env",
    "sharp",
    "undici",
    "zeromq",
  ]);
});

/** Whether a range such as `^18.19.0 || >=20.5.0` has that version. @throws for what it does not know. */
function takes(range: string, version: readonly number[]): boolean {
  return range.split("||").some((part) => {
    const [, operator, numbers = ""] = /^\s*(>=|\^)\s*(\d+(?:\.\d+){0,2})\s*$/.exec(part) ?? [];
    if (operator === undefined) throw new Error(`the range ${range} is not known to this test`);
    const least = [...numbers.split(".").map(Number), 0, 0];
    const at = [0, 1, 2].find((place) => version[place] !== least[place]) ?? 0;
    const isLater = (version[at] ?? 0) >= (least[at] ?? 0);
    return isLater && (operator === ">=" || version[0] === least[0]);
  });
}

test("all that is installed takes the oldest Node that the package takes: strict installers refuse it otherwise", () => {
  expect([takes("^18 || >=20.5.0", [20, 17, 0]), takes(">=22", [20, 17, 0])]).toEqual([true, false]);
  expect([takes("^20.9.0", [20, 17, 0]), takes("^20.9.0", [22, 0, 0])]).toEqual([true, false]);
  const oldest = [...engines.node.replace(">=", "").split(".").map(Number), 0];
  const refusing = locked.filter(
    ([, { dev, engines: wanted }]) =>
      dev !== true && wanted?.node !== undefined && !takes(wanted.node, oldest),
  );
  expect(refusing.map(([path]) => path)).toEqual([]);
});

test("what proxies need brings nothing else with it", () => {
  for (const name of ["proxy-from-env", "undici"]) {
    expect(packages[`node_modules/${name}`]).not.toHaveProperty("dependencies");
  }
});

test("the router of the server is not loaded by whoever only classifies", () => {
  const index = new URL("../../dist/index.js", import.meta.url).href;
  const script = `
    import Module from "node:module";
    await import(${JSON.stringify(index)});
    console.log(Object.keys(Module._cache).filter((path) => /find-my-way/.test(path)).length);
    await import(${JSON.stringify(new URL("../../dist/server.js", import.meta.url).href)});
    console.log(Object.keys(Module._cache).filter((path) => /find-my-way/.test(path)).length > 0);`;
  const printed = execFileSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
  expect(printed).toBe("0\ntrue\n");
});

test("every locked package is known by its hash, and comes from the registry", () => {
  for (const [path, { resolved = "", integrity = "" }] of locked) {
    expect(integrity, path).toMatch(/^sha512-/);
    // The lock file may leave the address out: then it is the registry's.
    expect(resolved, path).toMatch(/^(https:\/\/registry\.npmjs\.org\/.*)?$/);
  }
});
