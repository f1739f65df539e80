/**
 * Where `npm run build` puts a file that is no module of this one's own program: the same place for the compiled modules
 * and for tests that import the sources.
 */
export function built(name: string): URL {
  return new URL(`../../dist/image/${name}`, import.meta.url);
}
