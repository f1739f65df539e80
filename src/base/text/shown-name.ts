/** Names whose bytes are not UTF-8, for people. Here is no Node: errors are made in browsers too. */

/** With the flag, halves of pairs do not match. */
const LONE = /[\udc80-\udcff]/gu;

/** Whether a name has bytes that are no text. */
export function hasBytes(name: string): boolean {
  return name.search(LONE) !== -1;
}

/** The name for people and tables: such a byte as `\udcb9`, as in JSON and in Python, and a backslash beside it twice. */
export function shownName(name: string): string {
  if (!hasBytes(name)) return name;
  return name.replaceAll("\\", "\\\\").replaceAll(LONE, (byte) => `\\u${byte.charCodeAt(0).toString(16)}`);
}
