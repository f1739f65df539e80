// Pictures by every kind of path, and answers as files.
import { copyFileSync, mkdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { ENV, WEIGHTS, check, isotorch, scenarios } from "./harness.mjs";

const COMMON = ["--weights", WEIGHTS, "--env", ENV, "--top-k", "1"];

/** The lines of the answers as JSON. @throws Failed */
async function answers(args, input) {
  const { code, out, err } = await isotorch(["classify", ...args, ...COMMON, "--json"], input);
  check(code === 0, `code ${code}: ${err.slice(-400)} ${out.slice(-400)}`);
  const lines = out.trim().split("\n");
  return lines.map((line) => JSON.parse(line));
}

await scenarios({
  "a path of more than 260 characters, by itself and in its folder": async () => {
    let folder = "C:\\long";
    while (folder.length < 300) folder = path.join(folder, "n".repeat(40));
    mkdirSync(folder, { recursive: true });
    const file = path.join(folder, "狗.jpg");
    copyFileSync("landscape.jpg", file);
    const found = await answers([file, "C:\\long"]);
    return check(found.length === 2, `${found.length} answers, ${found[1]?.input.length} characters`);
  },
  "a picture on stdin": async () => {
    const [{ input, top }] = await answers(["-"], readFileSync("landscape.jpg"));
    return `${input}: ${top[0].label}`;
  },
  "a file URL, a drive's own folder, a \\\\?\\ path, mixed slashes, other case, the drive's root":
    async () => {
      const folder = process.cwd();
      const root = folder.slice(2);
      const forms = [
        `file:///${folder.replaceAll("\\", "/")}/landscape.jpg`,
        "C:landscape.jpg",
        `\\\\?\\${folder}\\landscape.jpg`,
        `c:${root.replaceAll("\\", "/")}\\landscape.jpg`,
        "LANDSCAPE.JPG",
        `${root}\\landscape.jpg`,
      ];
      const found = new Set((await answers(forms)).map(({ top }) => top[0].percent));
      return check(found.size === 1, `${forms.length} forms, ${found.size} answer`);
    },
  "CSV for Excel: the mark, the columns, a Chinese name": async () => {
    const picture = "D:\\图片\\狗.jpg";
    const { code, out } = await isotorch(["classify", picture, ...COMMON, "--csv", "--bom"]);
    const isWell = out.startsWith("\uFEFFinput,rank,index,label,") && out.includes(`\n${picture},1,`);
    return check(code === 0 && isWell, JSON.stringify(out.slice(0, 200)));
  },
});
