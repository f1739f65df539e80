// python/pillow_oracle.py as a process that is asked: what Pillow and torchvision would make of something.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const SCRIPT = fileURLToPath(new URL("../../python/pillow_oracle.py", import.meta.url));

/** @returns `ask(request, payload)`, which answers the reply with its bytes as `data`, and `end()`. */
export function startOracle(python) {
  const child = spawn(python, ["-X", "utf8", "-u", SCRIPT], { stdio: ["pipe", "pipe", "inherit"] });
  const output = child.stdout[Symbol.asyncIterator]();
  let held = Buffer.alloc(0);

  /** Waits until so many bytes are held; a reply may have megabytes, which are put together once. */
  async function more(bytes) {
    const chunks = [held];
    for (let length = held.length; length < bytes; length += chunks.at(-1).length) {
      const { done, value } = await output.next();
      if (done) throw new Error("the oracle ended early");
      chunks.push(value);
    }
    held = Buffer.concat(chunks);
  }

  async function ask(request, payload = Buffer.alloc(0)) {
    child.stdin.write(`${JSON.stringify({ ...request, bytes: payload.length })}\n`);
    child.stdin.write(payload);
    while (!held.includes(10)) await more(held.length + 1);
    const line = held.indexOf(10);
    const reply = JSON.parse(held.toString("utf8", 0, line));
    const end = line + 1 + reply.bytes;
    await more(end);
    const data = held.subarray(line + 1, end);
    held = held.subarray(end);
    return { ...reply, data };
  }

  return { ask, end: () => child.stdin.end() };
}
