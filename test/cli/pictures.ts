/** Small pictures for runs of the command, each with another value. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { crc32, deflateSync } from "node:zlib";

/** A picture of 2 × 1 pixels. */
export function png(value: number): Buffer {
  const chunk = (type: string, data: Buffer): Buffer => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    sum.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, sum]);
  };
  const header = Buffer.from([0, 0, 0, 2, 0, 0, 0, 1, 8, 2, 0, 0, 0]);
  const pixels = Buffer.from([0, value & 255, value >> 8, 7, 1, 2, 3]);
  return Buffer.concat([
    Buffer.from("\x89PNG\r\n\x1a\n", "latin1"),
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(pixels)),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

/** So many pictures below `folder`, and a list of them in the file `list.txt` there. */
export function picturesIn(folder: string, count: number): { list: string; names: string[] } {
  mkdirSync(join(folder, "pictures"));
  const names = Array.from({ length: count }, (_, at) => {
    const name = join(folder, "pictures", `${String(at).padStart(5, "0")}.png`);
    writeFileSync(name, png(at));
    return name;
  });
  const list = join(folder, "list.txt");
  writeFileSync(list, `${names.join("\n")}\n`);
  return { list, names };
}
