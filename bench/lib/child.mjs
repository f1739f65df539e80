// A competitor: a process of its own that lives through all rounds, asked and answering in lines of JSON.
import { spawn, spawnSync } from "node:child_process";
import { createInterface } from "node:readline";

/**
 * @param command the program and its arguments.
 * @param environment variables over those of this process.
 * @returns `ask(request)`, which waits for the one answer, and `close()`.
 */
export function startChild(command, environment = {}) {
  const [file, ...args] = command;
  const child = spawn(file, args, {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...process.env, ...environment },
  });
  let tail = "";
  child.stderr.setEncoding("utf8").on("data", (chunk) => {
    tail = (tail + chunk).slice(-4000);
  });
  child.stdin.on("error", () => undefined); // its end shows in `ended`
  const waiting = [];
  const ended = new Promise((resolve) => {
    child.once("error", (error) => resolve(error));
    child.once("close", (code, signal) =>
      resolve(new Error(`${args[0]} ended with ${code ?? signal}: ${tail}`)),
    );
  });
  let end;
  void ended.then((error) => {
    end = error;
    for (const { reject } of waiting.splice(0)) reject(error);
  });
  createInterface({ input: child.stdout }).on("line", (line) => {
    const { error, ...answer } = JSON.parse(line);
    const asked = waiting.shift();
    if (error === undefined) asked?.resolve(answer);
    else asked?.reject(Object.assign(new Error(error.message), { code: error.code }));
  });
  return {
    ask(request) {
      if (end !== undefined) return Promise.reject(end);
      child.stdin.write(`${JSON.stringify(request)}\n`);
      return new Promise((resolve, reject) => {
        waiting.push({ resolve, reject });
      });
    },
    async close() {
      child.stdin.end();
      const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
      await ended;
      clearTimeout(timer);
    },
  };
}

/** The other end in Node: answers each line with what the handler named by `do` returns. */
export async function answerLines(handlers) {
  for await (const line of createInterface({ input: process.stdin })) {
    const request = JSON.parse(line);
    let answer;
    try {
      answer = await handlers[request.do](request);
    } catch (error) {
      answer = { error: { message: error.message, code: error.code } };
    }
    process.stdout.write(`${JSON.stringify(answer ?? {})}\n`);
  }
}

/** Put before a command, it keeps a process on one core; empty where that cannot be done. */
export function onOneCore() {
  const core = process.platform === "linux" ? firstCore() : undefined;
  return core === undefined ? [] : ["taskset", "-c", core];
}

function firstCore() {
  const { status, stdout } = spawnSync("taskset", ["-cp", String(process.pid)], { encoding: "utf8" });
  return status === 0 ? /(\d+)[^:]*$/.exec(stdout)?.[1] : undefined;
}
