/** The OpenMP runtimes that an environment has, each with the package that brought it. */
import { readdir } from "node:fs/promises";
import { join, sep } from "node:path";

const RUNTIME =
  /^(?:libiomp5(?:md)?|libomp\d*(?:\.x86_64)?|libgomp[\w.-]*|vcomp\d+)\.(?:dll|so[\d.]*|dylib)$/i;
/** Folders of a package in which wheels bring libraries. */
const INSIDE = ["", "lib", ".libs", ".dylibs"];

/** A file, relative to the prefix, and whose it is: `torch`, `numpy.libs`, or `conda` for what all packages share. */
export interface Runtime {
  readonly file: string;
  readonly owner: string;
}

/** Those below a prefix, as `sys.prefix` names it; empty where there is none. Never rejects. */
export async function openmpRuntimes(prefix: string): Promise<Runtime[]> {
  const shared = ["lib", join("Library", "bin"), "DLLs"].map((folder) => ({ folder, owner: "conda" }));
  const sites = [join("Lib", "site-packages")];
  for (const name of await namesIn(join(prefix, "lib"))) {
    if (name.startsWith("python3")) sites.push(join("lib", name, "site-packages"));
  }
  const packages = await Promise.all(
    sites.map(async (site) =>
      (await namesIn(join(prefix, site))).flatMap((owner) =>
        INSIDE.map((inside) => ({ folder: join(site, owner, inside), owner })),
      ),
    ),
  );
  const found = await Promise.all(
    [...shared, ...packages.flat()].map(async ({ folder, owner }) =>
      (await namesIn(join(prefix, folder)))
        .filter((name) => RUNTIME.test(name))
        .map((name) => ({ file: join(folder, name).replaceAll(sep, "/"), owner })),
    ),
  );
  // A file system without upper and lower case shows `lib` and `Lib` as one.
  return [...new Map(found.flat().map((runtime) => [runtime.file.toLowerCase(), runtime])).values()];
}

async function namesIn(folder: string): Promise<string[]> {
  return (await readdir(folder).catch((): string[] => [])).toSorted();
}
