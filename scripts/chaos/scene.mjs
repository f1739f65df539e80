// The frame of every experiment on stubs: a journal, the state before, and what is left behind afterwards.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { MIB } from "./ledger.mjs";
import { CAN_TELL, children, openFiles, socketDirectories, until } from "./system.mjs";
import { standin } from "./standin.mjs";
import { startStub } from "./stub.mjs";

/** Memory that a run may add to this process, whatever its load: the queue's 96 MiB and room for the collector. */
const MEMORY_MIB = 256;
/** With decoders in this process: their pictures beside it, and the threads' own heaps. */
const DECODING_MIB = 768;
const unhandled = [];
process.on("unhandledRejection", (reason) => unhandled.push(reason));

/** Runs `play` with a folder of its own, closes what it started, and writes into the ledger what is left. */
export async function scene(ledger, play) {
  const started = [];
  await watched(
    ledger,
    async (folder) => {
      const journal = join(folder, "journal");
      writeFileSync(journal, "");
      const start = async (options) => {
        const supervisor = await startStub({ journal, ...options });
        started.push(supervisor);
        return supervisor;
      };
      await play({ start, folder, journal });
    },
    () => Promise.all(started.map((supervisor) => supervisor.close(30_000))),
  );
}

/** The same for whole classifiers, which `play` closes itself; it gets the stub's interpreter. */
export async function withStandin(ledger, options, play) {
  const end = async () => undefined;
  await watched(ledger, (folder) => play(standin(folder, options), folder), end, DECODING_MIB);
}

async function watched(ledger, play, end, memoryMib = MEMORY_MIB) {
  const folder = mkdtempSync(join(tmpdir(), "chaos-"));
  await warm();
  const before = CAN_TELL ? { files: openFiles(), children: children() } : undefined;
  const rssBefore = process.memoryUsage.rss();
  let rssMost = rssBefore;
  const sampling = setInterval(() => {
    rssMost = Math.max(rssMost, process.memoryUsage.rss());
  }, 100);
  try {
    await play(folder);
  } finally {
    await end();
    clearInterval(sampling);
    rmSync(folder, { recursive: true, force: true });
  }
  await delay(0);
  if (before !== undefined) await leftovers(ledger, before);
  ledger.check("unhandled rejections", unhandled.length === 0, unhandled.length);
  const grownBy = (rssMost - rssBefore) / MIB;
  ledger.check(
    `memory of the controller grew by less than ${memoryMib} MiB`,
    grownBy < memoryMib,
    `${grownBy.toFixed(1)} MiB`,
  );
}

async function leftovers(ledger, before) {
  // Descriptors of sockets are given back by ZeroMQ's own thread, a moment later.
  await until(() => openFiles() <= before.files && children(before.children).length === 0, 5_000);
  const left = children(before.children);
  ledger.check("children and zombies after close()", left.length === 0, left.length);
  ledger.check(
    "socket directories after close()",
    socketDirectories().length === 0,
    socketDirectories().length,
  );
  ledger.check(
    "file descriptors after close(), against before",
    openFiles() <= before.files,
    `${openFiles()} / ${before.files}`,
  );
}

let isWarm = false;
/** The first worker opens what stays open for the life of the process: the ZeroMQ context. */
async function warm() {
  if (!isWarm) await (await startStub()).close(0);
  isWarm = true;
}
