// Takes the lock that is named, says whether it has it, and stays.
import { internal } from "../harness.mjs";

const { tryLock } = await internal("base/files/lock.js");
const lock = await tryLock(process.argv[2]);
process.stdout.write(lock ? "taken\n" : "not taken\n");
setInterval(() => {}, 1_000);
