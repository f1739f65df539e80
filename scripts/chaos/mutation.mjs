// One mutation: `find`, which stands exactly once in `file`, becomes `put`, and `tests` must notice.

export const vitest = (name, file, find, put, ...tests) => ({
  name,
  file,
  find,
  put,
  runner: "vitest",
  tests,
});
export const pytest = (name, file, find, put, ...tests) => ({
  name,
  file,
  find,
  put,
  runner: "pytest",
  tests,
});
