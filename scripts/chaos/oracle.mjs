// One process that answers what Pillow and torchvision would: python/pillow_oracle.py.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { PYTHON } from "./stub.mjs";

const SCRIPT = fileURLToPath(new URL("../../python/pillow_oracle.py", import.meta.url));

export class Oracle {
  #child = spawn(PYTHON, ["-X", "utf8", "-u", SCRIPT], { stdio: ["pipe", "pipe", "ignore"] });
  // Listened for from the start: one that a signal has ended has no exit code to tell it by.
  #ended = new Promise((resolve) => this.#child.once("exit", resolve));
  #output = this.#child.stdout[Symbol.asyncIterator]();
  #held = Buffer.alloc(0);

  /** `Image.open(file).convert("RGB")` as raw pixels, or undefined where Pillow refuses the file. */
  async pixelsOf(bytes) {
    const { reply, body } = await this.#ask({ op: "decode" }, bytes);
    if (reply.error !== undefined) return undefined;
    return { data: new Uint8Array(body), width: reply.width, height: reply.height, channels: 3 };
  }

  /** The bytes of the tensor that torchvision's transforms make of raw pixels. */
  async tensorOf({ data, width, height }, spec) {
    const { reply, body } = await this.#ask({ op: "stages", spec, width, height }, data);
    if (reply.error !== undefined) throw new Error(reply.error);
    return body.subarray(body.length - reply.lengths.normalized);
  }

  async close() {
    this.#child.stdin.end();
    await this.#ended;
  }

  async #ask(request, payload) {
    this.#child.stdin.write(`${JSON.stringify({ ...request, bytes: payload.length })}\n`);
    this.#child.stdin.write(payload);
    while (!this.#held.includes(10)) await this.#more();
    const line = this.#held.indexOf(10);
    const reply = JSON.parse(this.#held.toString("utf8", 0, line));
    const end = line + 1 + reply.bytes;
    while (this.#held.length < end) await this.#more();
    const body = Buffer.from(this.#held.subarray(line + 1, end));
    this.#held = this.#held.subarray(end);
    return { reply, body };
  }

  async #more() {
    const { done, value } = await this.#output.next();
    if (done) throw new Error(`the oracle ended: does ${PYTHON} have Pillow and torchvision?`);
    this.#held = Buffer.concat([this.#held, value]);
  }
}
