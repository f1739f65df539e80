/** Folders as they come from other computers: names in GBK, what macOS leaves beside files, kinds that are not read. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { givenArguments } from "../../src/cli/flags/arguments.ts";
import { picturesOf } from "../../src/cli/lists/inputs.ts";
import { loadImage } from "../../src/image/source/source.ts";
import { readImageFolder } from "../../src/parity/eval/imagefolder.ts";
import { findPictures } from "../../src/parity/eval/pictures.ts";
import { filesUnder, PassedOver } from "../../src/parity/eval/walk.ts";
import { NETWORK } from "../checkpoint.ts";
import { ran } from "../processes.ts";
import { PYTHON } from "../python.ts";
import { STANDIN } from "../standin.ts";
import { DOG, isotorch } from "./cli.ts";

const GBK = Buffer.from([0xb9, 0xb7]);
const NAME = "\udcb9\udcb7";
const APPLE = Buffer.concat([Buffer.from([0, 5, 0x16, 7, 0, 2, 0, 0]), Buffer.alloc(80)]);

let folder: string;
const bytes = (...parts: (string | Buffer)[]): Buffer =>
  Buffer.concat([Buffer.from(`${folder}/`), ...parts.map((part) => Buffer.from(part))]);

/** Names of files are bytes only on Linux; macOS and Windows refuse others than text. */
describe.runIf(process.platform === "linux")("a folder from another computer", () => {
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "isotorch-names-"));
    const picture = readFileSync(DOG);
    mkdirSync(bytes("in-", GBK));
    writeFileSync(bytes(GBK, ".webp"), picture);
    writeFileSync(bytes("in-", GBK, "/", GBK, ".webp"), picture);
    writeFileSync(bytes("ok.webp"), picture);
    symlinkSync(bytes(GBK, ".webp"), bytes("link-", GBK, ".webp"));
    writeFileSync(bytes("._ok.webp"), APPLE);
    writeFileSync(bytes("._notes.txt"), APPLE);
    writeFileSync(bytes("notes.txt"), "");
    for (const name of ["1.HEIC", "2.heic", "b.avif"]) writeFileSync(bytes(name), "");
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const shown = (names: readonly string[]): string[] => names.map((name) => name.slice(folder.length + 1));
  const PICTURES = [`in-${NAME}/${NAME}.webp`, `link-${NAME}.webp`, "ok.webp", `${NAME}.webp`];
  const PASSED = "4 files passed over: 2 .heic, 1 ._ (AppleDouble), 1 .avif";

  const listed = async (argument: string): Promise<[string[], string]> => {
    const passed = new PassedOver();
    const names: string[] = [];
    for await (const { name } of picturesOf(argument, undefined, passed)) names.push(name);
    return [shown(names), passed.toString()];
  };

  test("is walked, and every file of it can be read", async () => {
    const found: string[] = [];
    for await (const file of filesUnder(folder)) found.push(file);
    expect(shown(found)).toContain(`in-${NAME}/${NAME}.webp`);
    for (const name of PICTURES) {
      expect(await loadImage(join(folder, name))).toMatchObject({ kind: "encoded" });
    }
  });

  test("gives its pictures to classify and parity, and says what was passed over", async () => {
    expect(await listed(folder)).toEqual([PICTURES, PASSED]);
    const passed = new PassedOver();
    expect(shown(await findPictures([folder], passed))).toEqual(PICTURES);
    expect(passed.toString()).toBe(PASSED);
  });

  test("is searched by a pattern, which takes what it names", async () => {
    expect(await listed(join(folder, "*.webp"))).toEqual([
      PICTURES.slice(1),
      "1 file passed over: 1 ._ (AppleDouble)",
    ]);
    expect(await listed(join(folder, "*.{heic,HEIC}"))).toEqual([["1.HEIC", "2.heic"], ""]);
    expect(await listed(join(folder, "._*.webp"))).toEqual([["._ok.webp"], ""]);
    expect((await listed(join(folder, "*")))[0]).toEqual([PICTURES[1], "notes.txt", ...PICTURES.slice(2)]);
  });

  test("is a class of eval", async () => {
    const passed = new PassedOver();
    const root = mkdtempSync(join(tmpdir(), "isotorch-tree-"));
    symlinkSync(folder, join(root, "0"));
    const { pictures } = await readImageFolder(root, passed);
    rmSync(root, { recursive: true });
    expect(pictures.map(({ name }) => name).toSorted()).toEqual(
      PICTURES.map((name) => `0/${name}`).toSorted(),
    );
    expect(passed.toString()).toBe(PASSED);
  });

  test("a picture that is named is tried, whatever its kind", async () => {
    expect(await listed(join(folder, "1.HEIC"))).toEqual([["1.HEIC"], ""]);
    expect(await listed(join(folder, "._ok.webp"))).toEqual([["._ok.webp"], ""]);
  });

  test("the command reads it as a folder and by its bytes, and writes names that can be read back", async () => {
    const options = [...NETWORK, "--top-k", "1"];
    const whole = await isotorch(["classify", folder, "--python", PYTHON, ...options, "--json"]);
    const lines = whole.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { input: string; top?: unknown[] });
    expect(shown(lines.map(({ input }) => input))).toEqual(PICTURES);
    expect(lines.every(({ top }) => top?.length === 1)).toBe(true);
    expect([whole.code, whole.stderr]).toEqual([0, expect.stringContaining(`\n${PASSED}\n`)]);
    // Node's own spawn gives no bytes: a shell does.
    const cli = new URL("../../dist/cli/main.js", import.meta.url).pathname;
    const script = `exec "$0" "$@" "$(printf '%s/\\271\\267.webp' "$DIR")"`;
    const env = { ...process.env, DIR: folder };
    const python = ["--python", String(STANDIN.python)];
    const args = ["-c", script, process.execPath, cli, "classify", ...python, ...options, "--csv"];
    const named = await ran("/bin/sh", args, { env });
    expect(named.stdout.split("\n")[1]).toMatch(/\/\\udcb9\\udcb7\.webp,1,/);
    expect(named.code).toBe(0);
  });
});

describe("the words of the command line", () => {
  const line = (...words: Buffer[]): Buffer =>
    Buffer.concat(words.flatMap((word) => [word, Buffer.from([0])]));
  const node = [Buffer.from("node"), Buffer.from("main.js")];

  test("have bytes that are no text from the system", () => {
    const words = [Buffer.from("classify"), Buffer.concat([GBK, Buffer.from(".jpg")])];
    const argv = words.map((word) => word.toString("utf8"));
    expect(givenArguments(argv, () => line(...node, ...words))).toEqual(["classify", `${NAME}.jpg`]);
  });

  test("stay as they are where they are text, or where the system shows another line, or none", () => {
    expect(
      givenArguments(["classify", "狗.jpg"], () => {
        throw new Error("not read");
      }),
    ).toEqual(["classify", "狗.jpg"]);
    const argv = ["classify", "\ufffd\ufffd.jpg"];
    expect(givenArguments(argv, () => line(...node, Buffer.from("serve")))).toEqual(argv);
    expect(
      givenArguments(argv, () => {
        throw new Error("ENOENT");
      }),
    ).toEqual(argv);
  });
});
