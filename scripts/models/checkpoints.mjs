// Checkpoints as people save them, each through `isotorch classify`: plain PyTorch's logits, or the right refusal.
import { spawn } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { isotorch } from "./command.mjs";
import { sha256 } from "./plain.mjs";

const WRITER = fileURLToPath(new URL("saved.py", import.meta.url));
const IMAGE = fileURLToPath(new URL("../../examples/images/dog.webp", import.meta.url));
const WANTED = ["--json", "--include", "logits", "--device", "cpu"];

/**
 * @param options `python`, `threads`, `folder` for the files, `seconds` that each command may take, `only` these forms.
 * @yields for each form its `name`, `what` came of it and `wrong`: sentences.
 */
export async function* checkpoints({ python, threads, folder, seconds, only }) {
  const flags = ["--image", IMAGE, "--threads", String(threads), ...(only ? ["--only", ...only] : [])];
  const writer = spawn(python, ["-X", "utf8", "-B", WRITER, folder, ...flags], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise((resolve) => writer.once("close", resolve));
  for await (const line of createInterface({ input: writer.stdout })) {
    const form = JSON.parse(line);
    const given = [...WANTED, "--threads", String(threads), "--python", python, ...form.flags];
    const signal = AbortSignal.timeout(1000 * seconds);
    const answer = await isotorch(["classify", IMAGE, "--weights", form.file, ...given], signal);
    const { what, wrong } = form.code === undefined ? loaded(form, answer) : refused(form, answer);
    if (existsSync(join(folder, "it-ran"))) wrong.push("something in a file was run");
    yield { name: form.name, what, wrong };
    rmSync(form.file, { force: true });
  }
  const code = await ended;
  if (code !== 0) yield { name: "saved.py", what: "ended", wrong: [`it ended with ${code}`] };
}

function loaded({ logits, classes }, { code, stdout, stderr }) {
  if (code !== 0) return { what: "NOT LOADED", wrong: [stderr.trim().split("\n").at(-1)] };
  const found = Float32Array.from(JSON.parse(stdout).logits);
  const wrong = [];
  if (found.length !== classes) wrong.push(`${found.length} classes, plain PyTorch has ${classes}`);
  if (sha256(found) !== logits) wrong.push("its logits are not plain PyTorch's");
  return { what: `${classes} logits`, wrong };
}

function refused(form, { code, stdout, stderr }) {
  if (code === 0) return { what: "LOADED", wrong: ["it was loaded"] };
  let error;
  try {
    ({ error } = JSON.parse(stdout));
  } catch {
    return { what: "NO ERROR", wrong: [`no error in JSON, but ${code}: ${stderr.trim().split("\n").at(-1)}`] };
  }
  const wrong = [];
  if (error.code !== form.code) wrong.push(`it is ${error.code}, expected ${form.code}`);
  if (!new RegExp(form.says).test(error.message)) wrong.push(`it says "${error.message}", expected ${form.says}`);
  if (!new RegExp(form.hint).test(error.hint)) wrong.push(`it hints "${error.hint}", expected ${form.hint}`);
  return { what: `${error.code}: ${error.message}`, wrong };
}
