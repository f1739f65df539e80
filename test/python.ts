/** The interpreter that the tests use: Debian's own, or `ISOTORCH_PYTHON`. */
export const PYTHON: string = process.env["ISOTORCH_PYTHON"] ?? "/usr/bin/python3";
