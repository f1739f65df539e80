/** A text without the characters of one kind at its end. An expression for it would look at every run of them again and again. */
export function withoutEnd(text: string, character: string): string {
  let end = text.length;
  while (end > 0 && text[end - 1] === character) end -= 1;
  return text.slice(0, end);
}
