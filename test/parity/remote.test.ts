/** What is compared, counted and written down where servers elsewhere answer, which say little of their network. */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test, vi } from "vitest";
import { run } from "../../src/cli/commands/classify.ts";
import { evaluate } from "../../src/parity/eval/eval.ts";
import { readManifest } from "../../src/parity/golden/manifest.ts";
import { Parity } from "../../src/parity/run.ts";
import { failureOf } from "../failure.ts";
import { NETWORK, TRITON, fakeServer } from "../remote/fake.ts";

const IMAGE = fileURLToPath(new URL("../../examples/images/landscape.jpg", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "parity-remote-test-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const silent = () => fakeServer({ name: "triton", model: TRITON });

test("plain PyTorch runs beside a worker of this machine, and beside nothing else", async () => {
  const { url } = await silent();
  const needed = {
    code: "INVALID_OPTION",
    message: expect.stringContaining("needs a worker of this machine"),
  };
  expect(await failureOf(Parity.start({ classifier: { remote: url } }))).toMatchObject(needed);
});

test("an evaluation goes on with the same server, and with no other", async () => {
  const tree = join(folder, "tree");
  for (const name of ["0/a.jpg", "1/b.jpg"]) {
    mkdirSync(dirname(join(tree, name)), { recursive: true });
    copyFileSync(IMAGE, join(tree, name));
  }
  const resume = join(folder, "eval.jsonl");
  const by = ({ url }: { readonly url: string }) => evaluate(tree, { resume, classifier: { remote: url } });
  expect(await by(await silent())).toMatchObject({ evaluated: 2, resumed: 0 });
  expect(await by(await silent())).toMatchObject({ evaluated: 2, resumed: 2 });
  const { code, message } = await failureOf(by(await fakeServer()));
  expect([code, message]).toEqual(["INVALID_OPTION", expect.stringContaining(String(NETWORK["sha256"]))]);
});

async function classified(url: string, ...flags: readonly string[]): Promise<string> {
  const said: string[] = [];
  const hear = (text: string | Uint8Array): boolean => said.push(String(text)) > 0;
  const spies = [process.stdout, process.stderr].map((stream) =>
    vi.spyOn(stream, "write").mockImplementation(((text: string, ...rest: unknown[]) => {
      hear(text);
      const done = rest.find((value) => typeof value === "function");
      if (done !== undefined) (done as () => void)();
      return true;
    }) as typeof stream.write),
  );
  try {
    const code = await run(["--remote", url, ...flags, IMAGE], new AbortController().signal);
    expect(code, said.join("")).toBe(0);
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
  return said.join("");
}

test("a manifest leaves out what the server does not say", async () => {
  const file = join(folder, "manifest.json");
  await classified((await silent()).url, "--manifest", file);
  const manifest = await readManifest(file);
  expect(manifest.weights).toEqual({ transforms: "IMAGENET1K_V1" });
  for (const name of ["model", "device", "deviceName", "threads", "precision"])
    expect(manifest).not.toHaveProperty(name);
  expect(manifest).toMatchObject({ versions: {}, handoff: "tensor", spec: { resize: 256 } });
});

test("a job's conditions leave it out too, and are the same the next time", async () => {
  const { url } = await silent();
  const out = join(folder, "answers.jsonl");
  await classified(url, "--out", out);
  const beside = readFileSync(`${out}.job`, "utf8");
  expect(beside).not.toMatch(/unknown|null|sha256|precision/);
  await classified(url, "--out", out);
  expect(readFileSync(out, "utf8").trim().split("\n")).toHaveLength(1);
});

test("an untrained network without a name is called the server's", async () => {
  const { url } = await fakeServer({ network: { trained: false } });
  expect(await classified(url)).toContain("The server's network: an untrained network");
});
