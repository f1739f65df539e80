// A project on Windows that has this checkout's package installed, and some pictures.
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { run, tell } from "./run.mjs";

export const PICTURES = { chinese: String.raw`D:\图片\狗.jpg`, blank: String.raw`D:\my pictures\a dog.webp` };

/** Packs the checkout, in whose root this runs and which is built, and installs it anew; no earlier run is remembered. */
export function install(windows) {
  tell("Packing the checkout, and installing it on Windows");
  const folder = mkdtempSync(join(tmpdir(), "isotorch-wine-"));
  try {
    const pack = ["pack", "--json", "--ignore-scripts", "--pack-destination", folder];
    const [{ filename }] = JSON.parse(run("npm", pack));
    const { project } = windows;
    mkdirSync(project, { recursive: true });
    for (const name of [
      "package-lock.json",
      "node_modules/.package-lock.json",
      "node_modules/isotorch",
      "inside",
    ])
      rmSync(join(project, name), { recursive: true, force: true });
    writeFileSync(
      join(project, "package.json"),
      JSON.stringify({ name: "project", version: "1.0.0", type: "module" }),
    );
    const system = ["--os=win32", "--cpu=x64", "--ignore-scripts", "--no-audit", "--no-fund"];
    run("npm", ["install", ...system, join(folder, filename)], { cwd: project });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  cpSync(fileURLToPath(new URL("inside", import.meta.url)), join(windows.project, "inside"), {
    recursive: true,
  });
  putPictures(windows);
  rmSync(join(windows.home, ".config/isotorch"), { recursive: true, force: true });
}

function putPictures(windows) {
  const pictures = "examples/images";
  copyFileSync(`${pictures}/landscape.jpg`, join(windows.project, "landscape.jpg"));
  copyFileSync(`${pictures}/dog.webp`, join(windows.project, "dog.webp"));
  for (const [picture, source] of [
    [PICTURES.chinese, "landscape.jpg"],
    [PICTURES.blank, "dog.webp"],
  ]) {
    const target = windows.unix(picture);
    mkdirSync(join(target, ".."), { recursive: true });
    copyFileSync(`${pictures}/${source}`, target);
  }
}
