"""Texts as tokens and back, to compare with: in plain Python, or by HuggingFace's ``tokenizers``.

Neither shares a line with isotorch's own, which is in TypeScript. A special token in a text is ordinary text.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol


class NotKnown(Exception):
    """The text has what this side cannot judge; the message says what."""


class Tokens(Protocol):
    """Splits texts and joins them."""

    name: str

    def encode(self, text: str) -> list[int]: ...

    def decode(self, ids: list[int]) -> str: ...


class Vocabulary(NamedTuple):
    """As its files have it, bytes as GPT-2's letters."""

    ids: dict[str, int]
    merges: list[tuple[str, str]]


def letters() -> dict[int, str]:
    """The letter that stands for each byte: the printable ones for themselves, the others from U+0100 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {
        **{byte: chr(byte) for byte in printable},
        **{byte: chr(256 + place) for place, byte in enumerate(others)},
    }


def read_vocabulary(path: str) -> Vocabulary:
    """Of a file of merges, or of a folder with ``tokenizer.json``, or ``merges.txt`` and ``vocab.json``."""
    place = Path(path)
    if place.is_dir() and (place / "tokenizer.json").is_file():
        file = json.loads((place / "tokenizer.json").read_text("utf-8"))
        model, added = file["model"], file.get("added_tokens") or []
        pairs = [tuple(one.split(" ")) if isinstance(one, str) else tuple(one) for one in model["merges"]]
        return Vocabulary({**model["vocab"], **{one["content"]: one["id"] for one in added}}, pairs)
    merges_file = place / "merges.txt" if place.is_dir() else place
    lines = merges_file.read_text("utf-8").split("\n")
    pairs = [tuple(line.split(" ")) for line in lines if line and not line.startswith("#version")]
    if (merges_file.parent / "vocab.json").is_file():
        return Vocabulary(json.loads((merges_file.parent / "vocab.json").read_text("utf-8")), pairs)
    # OpenAI's order: the bytes, what the merges make, the end of a text.
    names = [*letters().values(), *("".join(pair) for pair in pairs), "<|endoftext|>"]
    return Vocabulary({name: place for place, name in enumerate(names)}, pairs)


class PlainTokens:
    """GPT-2's byte pair encoding, typed out."""

    # Of L, N, O and S for letters, numbers, other signs and white space; B is a blank.
    _run = re.compile("B?L+|B?N+|B?O+|[BS]+(?![^BS])|[BS]+")
    _contractions = ("'s", "'t", "'re", "'ve", "'m", "'ll", "'d")

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.name = "plain Python"
        self._ids = vocabulary.ids
        self._ranks = {pair: rank for rank, pair in enumerate(vocabulary.merges)}
        self._letters = letters()
        self._bytes = {letter: byte for byte, letter in self._letters.items()}
        self._names = {number: name for name, number in vocabulary.ids.items()}
        made = {*self._bytes, *("".join(pair) for pair in vocabulary.merges)}
        self._special = {number for name, number in vocabulary.ids.items() if name not in made}

    def encode(self, text: str) -> list[int]:
        return [self._ids[token] for piece in self._pieces(text) for token in self._merged(piece)]

    def decode(self, ids: list[int]) -> str:
        return b"".join(map(self._bytes_of, ids)).decode("utf-8", "replace")

    def _bytes_of(self, number: int) -> bytes:
        name = self._names[number]
        return name.encode() if number in self._special else bytes(self._bytes[letter] for letter in name)

    def _pieces(self, text: str) -> Iterator[str]:
        kinds, at = "".join(map(_kind, text)), 0
        while at < len(text):
            short = next((one for one in self._contractions if text.startswith(one, at)), None)
            end = at + len(short) if short else self._run.match(kinds, at).end()
            yield text[at:end]
            at = end

    def _merged(self, piece: str) -> list[str]:
        tokens = [self._letters[byte] for byte in piece.encode()]
        while True:
            pairs = [pair for pair in zip(tokens, tokens[1:]) if pair in self._ranks]
            if not pairs:
                return tokens
            left, right = min(pairs, key=self._ranks.__getitem__)
            merged: list[str] = []
            for token in tokens:
                # What was just joined is not the left one of the next pair, for it is longer.
                if merged and token == right and merged[-1] == left:
                    merged[-1] = left + right
                else:
                    merged.append(token)
            tokens = merged


def _kind(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cn":
        version = unicodedata.unidata_version
        raise NotKnown(f"Unicode {version} of this Python does not know U+{ord(character):04X}")
    if character == " ":
        return "B"
    # Python takes four separators of information for white space, and Unicode does not.
    if character.isspace() and not "\x1c" <= character <= "\x1f":
        return "S"
    return category[0] if category[0] in "LN" else "O"


class LibraryTokens:
    """HuggingFace's ``tokenizers`` with the same vocabulary."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        import tokenizers
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers

        self.name = f"tokenizers {tokenizers.__version__}"
        self._tokenizer = Tokenizer(models.BPE(vocabulary.ids, vocabulary.merges))
        self._tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        self._tokenizer.decoder = decoders.ByteLevel()

    def encode(self, text: str) -> list[int]:
        return self._tokenizer.encode(text).ids

    def decode(self, ids: list[int]) -> str:
        return self._tokenizer.decode(ids, skip_special_tokens=False)
