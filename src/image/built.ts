/**
 * Where `npm run build` puts a file that is not imported, a process's program or WebAssembly: the same place for the compiled
 * modules and for tests that import the sources, which therefore need a build.
 */
export function built(name: string): URL {
  return new URL(`../../dist/image/${name}`, import.meta.url);
}
