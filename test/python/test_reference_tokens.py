"""The plain tokenizer of the reference: the ids that tiktoken and HuggingFace's `tokenizers` give."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reference_tokens import NotKnown, PlainTokens, read_vocabulary

MERGES = Path(__file__).resolve().parents[2] / "models" / "vocab.bpe"


@pytest.fixture(scope="module")
def gpt2() -> PlainTokens:
    return PlainTokens(read_vocabulary(str(MERGES)))


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("The dog", [464, 3290]),
        ("Hello world", [15496, 995]),
        # Where JavaScript's \s is not Unicode's White_Space.
        ("\n\n\ufeff", [198, 198, 171, 119, 123]),
        ("<|endoftext|>", [27, 91, 437, 1659, 5239, 91, 29]),
        ("", []),
    ],
)
def test_ids_are_those_that_others_give(gpt2: PlainTokens, text: str, ids: list[int]) -> None:
    assert gpt2.encode(text) == ids
    assert gpt2.decode(ids) == text


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("it's they'll 'S", ["it", "'s", " they", "'ll", " '", "S"]),
        ("a   b", ["a", "  ", " b"]),
        ("a  ", ["a", "  "]),
        ("x1_y", ["x", "1", "_", "y"]),
        ("\x1c a\u0085b", ["\x1c", " a", "\u0085", "b"]),
        ("春眠 ½", ["春眠", " ½"]),
    ],
)
def test_texts_are_split_as_gpt2_does(gpt2: PlainTokens, text: str, pieces: list[str]) -> None:
    assert list(gpt2._pieces(text)) == pieces


def test_bytes_that_are_no_character_become_the_replacement(gpt2: PlainTokens) -> None:
    assert gpt2.decode(gpt2.encode("春")[:-1]) == "\ufffd"
    assert gpt2.decode([50256]) == "<|endoftext|>"


def test_a_character_that_this_python_does_not_know_is_not_judged(gpt2: PlainTokens) -> None:
    with pytest.raises(NotKnown, match=r"U\+2FE0"):
        gpt2.encode("a\u2fe0")


def test_half_of_a_pair_is_no_text(gpt2: PlainTokens) -> None:
    with pytest.raises(UnicodeEncodeError):
        gpt2.encode("\ud83d")


def test_every_form_of_a_vocabulary_is_read(tmp_path: Path) -> None:
    letters = [chr(number) for number in range(0x61, 0x65)]
    vocab = {name: place for place, name in enumerate([*letters, "ab", "abc", "<s>"])}
    merges = [("a", "b"), ("ab", "c")]
    pair, lines, lists = (tmp_path / name for name in ("pair", "lines", "lists"))
    for folder in (pair, lines, lists):
        folder.mkdir()
    (pair / "merges.txt").write_text("#version: 0.2\na b\nab c\n", "utf-8")
    (pair / "vocab.json").write_text(json.dumps(vocab), "utf-8")
    model = {name: number for name, number in vocab.items() if name != "<s>"}
    added = [{"content": "<s>", "id": vocab["<s>"]}]
    for folder, written in ((lines, ["a b", "ab c"]), (lists, [["a", "b"], ["ab", "c"]])):
        file = {"model": {"vocab": model, "merges": written}, "added_tokens": added}
        (folder / "tokenizer.json").write_text(json.dumps(file), "utf-8")
    for folder in (pair, lines, lists):
        found = read_vocabulary(str(folder))
        assert (found.ids, found.merges) == (vocab, merges)
        tokens = PlainTokens(found)
        assert tokens.encode("abcdab") == [5, 3, 4]
        assert tokens.decode([5, 6]) == "abc<s>"
