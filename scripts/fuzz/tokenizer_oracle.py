"""What tiktoken and tokenizers make of the texts, ids and corpora that `fuzz-tokenizer.mjs` hands over.

Arguments: the merges, the work (a file with one JSON object per line), and the answers' file.
Run it in an environment that has both.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any, Callable

import tiktoken
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

SPLIT = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""
END = "<|endoftext|>"


def byte_letters() -> dict[int, str]:
    """GPT-2's letter of each byte, in the order of its ids."""
    seen = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    letters = {byte: chr(byte) for byte in seen}
    for byte in range(256):
        letters.setdefault(byte, chr(256 + len(letters) - len(seen)))
    return letters


def read_merges(path: str) -> list[tuple[str, str]]:
    lines = Path(path).read_text(encoding="utf-8").split("\n")[1:-1]
    return [(left, right) for left, right in (line.split(" ") for line in lines)]


def gpt2(path: str) -> tuple[tiktoken.Encoding, Tokenizer, Tokenizer]:
    """tiktoken's encoding, and HuggingFace's tokenizer without the special token and with it."""
    letters = byte_letters()
    bytes_of = {letter: byte for byte, letter in letters.items()}
    merges = read_merges(path)
    names = [*letters.values(), *(left + right for left, right in merges)]
    ranks = {bytes(bytes_of[letter] for letter in name): at for at, name in enumerate(names)}
    encoding = tiktoken.Encoding(
        "gpt2-shipped", pat_str=SPLIT, mergeable_ranks=ranks, special_tokens={END: len(ranks)}
    )
    plain = byte_level(models.BPE(vocab={name: at for at, name in enumerate(names)}, merges=merges))
    special = Tokenizer.from_str(plain.to_str())
    special.add_special_tokens([AddedToken(END, normalized=False, special=True)])
    return encoding, plain, special


def byte_level(model: Any) -> Tokenizer:
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def trained(texts: list[str], vocab_size: int, min_frequency: int, special: list[str]) -> dict[str, Any]:
    tokenizer = byte_level(models.BPE())
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=vocab_size,
            min_frequency=min_frequency,
            special_tokens=special,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    model = json.loads(tokenizer.to_str())["model"]
    merges = [merge.split(" ") if isinstance(merge, str) else merge for merge in model["merges"]]
    return {"merges": merges, "vocab": model["vocab"]}


def trained_first_seen(pieces: list[str], vocab_size: int, min_frequency: int) -> list[list[str]]:
    """minbpe's rule, said plainly: all pairs are counted anew, and of equal ones the first seen wins."""
    letters = byte_letters()
    words = [[letters[byte] for byte in piece.encode()] for piece in pieces]
    merges: list[list[str]] = []
    while 256 + len(merges) < vocab_size:
        counts: dict[tuple[str, str], int] = {}
        for word in words:
            for pair in zip(word, word[1:]):
                counts[pair] = counts.get(pair, 0) + 1
        if not counts:
            break
        best = max(counts, key=lambda pair: counts[pair])
        if counts[best] < min_frequency:
            break
        merges.append(list(best))
        words = [merged(word, best) for word in words]
    return merges


def merged(word: list[str], pair: tuple[str, str]) -> list[str]:
    out: list[str] = []
    at = 0
    while at < len(word):
        if tuple(word[at : at + 2]) == pair:
            out.append(word[at] + word[at + 1])
            at += 2
        else:
            out.append(word[at])
            at += 1
    return out


def main(merges: str, work: str, answers: str) -> None:
    encoding, plain, special = gpt2(merges)

    def encode(text: str) -> dict[str, Any]:
        return {"tiktoken": encoding.encode_ordinary(text), "tokenizers": plain.encode(text).ids}

    def encode_special(text: str) -> dict[str, Any]:
        return {
            "tiktoken": encoding.encode(text, allowed_special="all"),
            "tokenizers": special.encode(text).ids,
        }

    def decode(ids: list[int]) -> dict[str, Any]:
        # A text is written as UTF-8 on the way, so that bytes are compared, not what JSON makes of them.
        return {"tiktoken": encoding.decode(ids, errors="replace")}

    def train(corpus: dict[str, Any]) -> dict[str, Any]:
        texts, size, least = corpus["texts"], corpus["vocabSize"], corpus["minFrequency"]
        names = corpus["specialTokens"]
        answer: dict[str, Any] = {"huggingface": trained(texts, size + len(names), least, names)}
        if "pieces" in corpus:
            answer["minbpe"] = trained_first_seen(corpus["pieces"], size, least)
        return answer

    does: dict[str, Callable[[Any], Any]] = {
        "encode": encode,
        "encodeSpecial": encode_special,
        "decode": decode,
        "train": train,
    }
    with Path(work).open(encoding="utf-8") as asked, Path(answers).open("w", encoding="utf-8") as file:
        versions = {name: version(name) for name in ("tiktoken", "tokenizers")}
        file.write(json.dumps(versions) + "\n")
        for line in asked:
            ((name, value),) = json.loads(line).items()
            file.write(json.dumps(does[name](value), separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
