"""Foreign text in messages: short, on one line, without what a terminal obeys (src/base/text/shown.ts)."""

from __future__ import annotations

import re
import unicodedata

MOST = 200
"""Most characters that a message repeats of what it was given."""

_END = 79
# Characters that change or hide what stands beside them: controls, formats such as those of directions, ends
# of lines and of paragraphs, and halves of surrogate pairs. Joiners are part of writing, in Persian or emoji.
_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_JOINERS = "\u200c\u200d"
_WORD = re.compile(r"\S+")
_LONG_WORD = 200
_MOST_TOLD = 20_000
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def brief(value: object, most: int = MOST) -> str:
    """``str(value)`` in at most ``most`` characters, its middle left out; what is unseen as JSON has it."""
    text = str(value)
    # What is cut away needs no look, of a megabyte for example; escapes make a text only longer.
    if len(text) > 2 * most:
        text = text[:most] + "…" + text[-most:]
    seen = "".join(_visible(character) for character in text)
    if len(seen) <= most:
        return seen
    end = min(_END, most // 2 - 1)
    return f"{seen[: most - end - 1]}…{seen[-end:]}"


def told(text: str) -> str:
    """The last line of defence, for a whole message: what is unseen as escapes, and no word without end."""
    return _WORD.sub(_short, _visible_lines(text[:_MOST_TOLD]))


def _short(word: re.Match[str]) -> str:
    return brief(word.group()) if len(word.group()) > _LONG_WORD else word.group()


def _visible_lines(text: str) -> str:
    """``text`` with what is unseen as escapes; its line ends stay."""
    return "\n".join("".join(map(_visible, line)) for line in text.split("\n"))


def _visible(character: str) -> str:
    if character in _JOINERS or unicodedata.category(character) not in _UNSEEN:
        return character
    if character in _SHORT:
        return _SHORT[character]
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
