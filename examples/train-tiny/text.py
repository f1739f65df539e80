"""Make two plain texts of the King James Bible, from what Debian's ``bible`` prints.

    bible -f Gen1:1-Rev22:21 < /dev/null | python3 text.py OUT

Reads a verse a line, as in ``Ge1:1 In the beginning ...``. Writes OUT/train.txt, which the tokenizer and the
network learn from, and OUT/held-out.txt, which neither of them sees: the last books, a twentieth of all.
A verse is a line without its number, and an empty line ends each chapter.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

VERSE = re.compile(r"^(\d?[A-Za-z]+)(\d+):\d+ (.*)$")
HELD_OUT = 0.05


def main() -> None:
    """Read stdin, write both files."""
    if len(sys.argv) != 2:
        sys.exit("usage: bible -f Gen1:1-Rev22:21 < /dev/null | python3 text.py OUT")
    out = Path(sys.argv[1])
    books = read_books(sys.stdin.read())
    texts = [text_of(chapters) for chapters in books.values()]

    # From the last book backwards, until a twentieth is held out.
    whole = sum(map(len, texts))
    first = len(texts)
    while sum(map(len, texts[first:])) < HELD_OUT * whole:
        first -= 1
    out.mkdir(parents=True, exist_ok=True)
    for name, part in (("train.txt", texts[:first]), ("held-out.txt", texts[first:])):
        (out / name).write_bytes("".join(part).encode("utf-8"))
        print(f"{out / name}: {len(part)} books, {sum(map(len, part)):,} characters")


def read_books(printed: str) -> dict[str, dict[str, list[str]]]:
    """The verses by book and chapter, in their order."""
    books: dict[str, dict[str, list[str]]] = {}
    for number, line in enumerate(printed.splitlines(), 1):
        found = VERSE.match(line)
        if found is None:
            sys.exit(f"line {number} is no verse: {line!r}")
        book, chapter, verse = found.groups()
        # A few verses have two blanks between their sentences.
        books.setdefault(book, {}).setdefault(chapter, []).append(" ".join(verse.split()))
    if not books:
        sys.exit("nothing was read: is bible-kjv installed?")
    return books


def text_of(chapters: dict[str, list[str]]) -> str:
    """A book: a verse a line, an empty line behind each chapter."""
    return "".join("\n".join(verses) + "\n\n" for verses in chapters.values())


if __name__ == "__main__":
    main()
