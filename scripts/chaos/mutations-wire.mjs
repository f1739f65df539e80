// What guards the socket and the messages, taken out piece by piece.
import { pytest, vitest } from "./mutation.mjs";

const CHANNEL = "src/worker/channel.ts";
const WIRE = "src/protocol/wire.ts";
const PY = "python/isotorch_worker";
const SESSION_TEST = "test/worker/session.test.ts";
const CHANNEL_GUARD = "test/worker/channel.guard.test.ts";
const SOCKET_TEST = "test/security/socket.test.ts";
const WIRE_TEST = "test/protocol/wire.test.ts";
const WIRE_GUARD = "test/protocol/wire.guard.test.ts";
const GUARDS = "test/python/test_guards.py";
const SERVE_TEST = "test/python/test_serve.py";

export const wire = [
  vitest(
    "generation fence of the channel",
    CHANNEL,
    `if (message.generation !== this.generation) {`,
    "if (message.generation < 0) {",
    SOCKET_TEST,
  ),
  pytest(
    "generation fence of the worker",
    `${PY}/channel.py`,
    `if message.generation != self.generation:`,
    "if False:",
    SERVE_TEST,
    "-k",
    "malformed",
  ),
  vitest(
    "HMAC proof",
    CHANNEL,
    ` || !this.#proves(message.fields.proof, message.fields.pid)`,
    "",
    SESSION_TEST,
    SOCKET_TEST,
  ),
  vitest(
    "peer identity check",
    CHANNEL,
    `if (this.#peer !== undefined && !peer.equals(this.#peer)) {`,
    "if (peer.byteLength === 0) {",
    SOCKET_TEST,
  ),
  vitest(
    "socket directory removal",
    CHANNEL,
    `if (this.#directory !== undefined) remove(this.#directory);`,
    "",
    SESSION_TEST,
  ),
  vitest("leftovers sweep", CHANNEL, `  sweepLeftovers(base);\n`, "", SOCKET_TEST),
  vitest("leftovers of the living are kept", CHANNEL, ` || isAlive(Number(owner))`, "", SOCKET_TEST),
  vitest(
    "socket path limit",
    CHANNEL,
    `if (bytes > MAX_SOCKET_PATH_BYTES) {`,
    "if (bytes < 0) {",
    CHANNEL_GUARD,
  ),
  vitest(
    "message size limit of the socket",
    CHANNEL,
    `      maxMessageSize: MAX_FRAME_BYTES,\n`,
    "",
    SOCKET_TEST,
  ),
  vitest(
    "header limit, Node",
    WIRE,
    `if (header.byteLength > limits.headerBytes) throw`,
    "if (header.byteLength < 0) throw",
    WIRE_GUARD,
  ),
  pytest(
    "header limit, Python",
    `${PY}/protocol/wire.py`,
    `if len(frames[0]) > MAX_HEADER_BYTES:`,
    "if False:",
    "test/python/test_wire.py",
    "-k",
    "malformed or test_guards",
    GUARDS,
  ),
  vitest(
    "plain-msgpack scan, Node",
    WIRE,
    `if (!isPlain(bytes)) throw`,
    "if (bytes.byteLength < 0) throw",
    WIRE_GUARD,
  ),
  pytest(
    "no extensions, Python",
    `${PY}/protocol/wire.py`,
    `            max_ext_len=0,\n`,
    "",
    "test/python/test_wire.py",
    "-k",
    "malformed or test_guards",
    GUARDS,
  ),
  vitest("frame length check, Node", WIRE, `expected !== data.byteLength || `, "", WIRE_TEST),
  pytest(
    "frame length check, Python",
    `${PY}/protocol/schema.py`,
    `if expected != actual or actual >`,
    "if actual >",
    "test/python/test_wire.py",
    "-k",
    "malformed",
  ),
  vitest("protocol version", CHANNEL, `this.#listener?.onOtherVersion(version)`, "undefined", SESSION_TEST),
  pytest(
    "queue limit of the worker",
    `${PY}/channel.py`,
    `full = waiting >= self._max_waiting or`,
    "full = False and",
    SERVE_TEST,
    "-k",
    "load_to_stop or test_guards",
    GUARDS,
  ),
];
