"""The worker's GPT-2 has the bits of GPT-2 in plain PyTorch, which shares no code with it."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import torch

import plain_gpt2
import reference_text
from isotorch_worker.protocol.errors import ContextLength, InvalidInput, InvalidOption, NonFiniteOutput
from isotorch_worker.tasks.text_generation import gpt2
from isotorch_worker.tasks.text_generation.generation import Stream, Wanted
from isotorch_worker.tasks.text_generation.gpt2 import Cache
from isotorch_worker.tasks.text_generation.inspection import stages
from isotorch_worker.tasks.text_generation.reference import REFERENCES, reference_for
from isotorch_worker.tasks.text_generation.sampling import Sampling
from small_gpt2 import CONFIG, drawn, files, naive_logits, network

ALL = ("embeddings", "attention", "hidden", "norm", "logits")
PROMPTS = ([7], [1, 2], [0, 100, 50], list(range(16)), [n * 7 % 101 for n in range(40)])
WAYS = (
    {"temperature": 0.0},
    {"temperature": 0.8, "topK": 10, "seed": 7},
    {"temperature": 1.0, "topP": 0.8, "repetitionPenalty": 1.4, "seed": 3},
    {"temperature": 1.7, "topK": 60, "topP": 0.95, "minP": 0.05, "seed": 2**32 - 1},
    {"temperature": 1.0, "bias": [[5, 3.5], [6, -100.0]], "seed": 11},
)


@pytest.fixture(autouse=True)
def _threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def ours():
    return network()


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return plain_gpt2.PlainGpt2(files(tmp_path_factory.mktemp("gpt2")))


def same(a, b):
    return a.shape == b.shape and a.contiguous().numpy().tobytes() == b.contiguous().numpy().tobytes()


def looked_into(network, prompt):
    found = {}
    for layer, stage in enumerate(stages(network, prompt, ALL)):
        inner = "hidden" in stage
        found.update({f"{name}.{layer - 1}" if inner else name: value for name, value in stage.items()})
    return found


def continued(network, prompt, count=8, stop=(), **how):
    """The new tokens, and the logits of each."""
    how = {**reference_text.DEFAULTS, **how}
    sampling = Sampling(
        how["temperature"], how["topK"], how["topP"], how["minP"], how["repetitionPenalty"],
        dict(how["bias"]), how["seed"],
    )  # fmt: skip
    stream = Stream(network, Wanted(prompt, count, sampling, stop))
    logits = []
    while stream.finish_reason is None:
        logits.append(stream.step().logits[0])
    return stream.tokens, logits


# --- the same bits ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prompt", PROMPTS, ids=len)
def test_every_stage_has_the_bits_of_plain_pytorch(ours, plain, prompt):
    found, expected = looked_into(ours, prompt), plain.inspect(prompt)
    assert list(found) == list(expected)
    assert [name for name in found if not same(found[name], expected[name])] == []


@pytest.mark.parametrize("how", WAYS, ids=str)
def test_every_token_and_its_logits_are_those_of_plain_pytorch(ours, plain, how):
    for prompt in PROMPTS:
        tokens, logits = continued(ours, prompt, **how)
        theirs, their_logits = plain.generate(prompt, {**reference_text.DEFAULTS, **how, "maxTokens": 8})
        assert tokens == theirs
        assert all(same(a, b) for a, b in zip(logits, their_logits))


@pytest.mark.parametrize("reference", REFERENCES)
def test_each_reference_is_that_of_plain_pytorch_told_to_compute_so(tmp_path, reference):
    args = files(tmp_path)
    args.head, args.scores = reference.head, reference.scale
    other, mine = plain_gpt2.PlainGpt2(args), network(**reference._asdict())
    for prompt in PROMPTS:
        found, expected = looked_into(mine, prompt), other.inspect(prompt)
        assert [name for name in found if not same(found[name], expected[name])] == []
        for a, b in zip(
            continued(mine, prompt, temperature=0)[1],
            other.generate(prompt, {**reference_text.DEFAULTS, "temperature": 0, "maxTokens": 8})[1],
        ):
            assert same(a, b)


def test_dividing_scores_and_multiplying_them_are_two_references():
    divides, multiplies = (looked_into(network(scale=scale), PROMPTS[3]) for scale in ("divide", "multiply"))
    assert not same(divides["attention.0"], multiplies["attention.0"])
    assert torch.allclose(divides["logits"], multiplies["logits"], atol=1e-4)


def test_it_is_gpt2_as_loops_over_tokens_and_heads_compute_it(ours):
    prompt = PROMPTS[3]
    expected = naive_logits(drawn(), prompt)
    found = looked_into(ours, prompt)["logits"]
    assert float((found.double() - expected).abs().max()) < 1e-4 * float(expected.abs().max())


def test_a_row_of_attention_is_a_distribution_over_what_came_before(ours):
    attention = looked_into(ours, PROMPTS[3])["attention.1"]
    assert attention.shape == (2, 16, 16)
    assert torch.allclose(attention.sum(dim=-1), torch.ones(2, 16))
    assert not bool(attention.triu(1).any())


# --- mutants ------------------------------------------------------------------------------------------------


def test_another_gelu_is_seen(ours, plain, monkeypatch):
    # Torch has a fused one since 1.12; the same curve in other words shows it as well.
    monkeypatch.setattr(gpt2, "gelu_new", lambda x: x * torch.sigmoid(1.5957691 * (x + 0.044715 * x**3)))
    found, expected = looked_into(ours, PROMPTS[3]), plain.inspect(PROMPTS[3])
    assert next(name for name in found if not same(found[name], expected[name])) == "hidden.0"


def test_another_order_of_scaling_is_seen(ours, plain, monkeypatch):
    def scores(self, query, key):
        return torch.matmul(query / query.size(-1) ** 0.5, key.transpose(-1, -2))

    monkeypatch.setattr(gpt2.Attention, "_scores", scores)
    found, expected = looked_into(ours, PROMPTS[3]), plain.inspect(PROMPTS[3])
    assert next(name for name in found if not same(found[name], expected[name])) == "attention.0"


def test_without_a_mask_tokens_would_look_ahead(ours, plain, monkeypatch):
    monkeypatch.setattr(gpt2.Attention, "_masked", lambda self, scores: scores)
    found, expected = looked_into(ours, [1, 2, 3]), plain.inspect([1, 2, 3])
    assert not same(found["attention.0"], expected["attention.0"])


# --- the cache ----------------------------------------------------------------------------------------------


def test_the_cache_changes_what_a_text_is_in_rounding_alone(ours):
    tokens, logits = continued(ours, [3, 1, 4], temperature=0)
    for count, cached in enumerate(logits):
        with torch.inference_mode():
            whole = ours.next_logits(ours(torch.tensor([[3, 1, 4, *tokens[:count]]]), Cache()))[0]
        assert torch.allclose(cached, whole, atol=1e-4)
        assert int(whole.argmax()) == tokens[count]


def test_several_tokens_behind_a_cache_see_it(ours):
    cache = Cache()
    with torch.inference_mode():
        ours(torch.tensor([[3, 1, 4]]), cache)
        chunked = ours.head(ours(torch.tensor([[1, 5, 9]]), cache))
        whole = ours.head(ours(torch.tensor([[3, 1, 4, 1, 5, 9]]), Cache()))[:, 3:]
    assert cache.length == 6
    assert torch.allclose(chunked, whole, atol=1e-4)


def test_a_prompt_that_takes_long_is_computed_a_layer_at_a_time_with_the_same_bits(ours):
    expected = continued(ours, PROMPTS[4])
    stream = Stream(ours, Wanted(PROMPTS[4], 8))
    steps = [stream.advance(0) for _ in range(CONFIG.layers - 1 + 8)]
    assert steps[: CONFIG.layers - 1] == [None] * (CONFIG.layers - 1)
    found = steps[CONFIG.layers - 1 :]
    assert stream.finish_reason == "length"
    assert [step.token for step in found] == expected[0]
    assert all(same(step.logits[0], logits) for step, logits in zip(found, expected[1]))


# --- whose bits ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "head", "scale"),
    [
        ("1.10.0", "all", "divide"),
        ("1.12.1+cu102", "all", "divide"),
        ("2.0.1", "all", "divide"),
        ("2.1.0", "last", "divide"),
        ("2.3.1+cpu", "last", "divide"),
        ("2.4.0", "last", "multiply"),
        ("2.15.0+cu132", "last", "multiply"),
        ("3.0.0", "last", "multiply"),
        ("weekly", "all", "divide"),
    ],
)
def test_the_reference_is_of_the_transformers_that_fits_the_torch(version, head, scale):
    found = reference_for(version)
    assert (found.head, found.scale) == (head, scale)
    assert found.transformers in found.text


# --- what cannot be -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"prompt": []}, InvalidInput, "the prompt is empty"),
        ({"prompt": [101]}, InvalidInput, "the token 101, and this network has 101"),
        ({"prompt": [-1]}, InvalidInput, "the token -1"),
        ({"prompt": [1] * 49}, ContextLength, "has 49 tokens, and this network sees 48"),
        ({"prompt": [1] * 40, "max_tokens": 9}, ContextLength, "has 40 tokens and 9 more .* sees 48"),
        ({"max_tokens": 0}, InvalidOption, "maxTokens"),
        ({"candidates": 102}, InvalidOption, "candidates: expected 0 to 101"),
        ({"sampling": Sampling(temperature=float("nan"))}, InvalidOption, "temperature: .*received nan"),
        ({"sampling": Sampling(temperature=-1)}, InvalidOption, "temperature"),
        ({"sampling": Sampling(top_p=0)}, InvalidOption, "topP: .* above 0"),
        ({"sampling": Sampling(top_p=1.1)}, InvalidOption, "topP"),
        ({"sampling": Sampling(min_p=-0.1)}, InvalidOption, "minP"),
        ({"sampling": Sampling(top_k=-1)}, InvalidOption, "topK"),
        ({"sampling": Sampling(repetition_penalty=0)}, InvalidOption, "repetitionPenalty"),
        (
            {"sampling": Sampling(logit_bias={101: 1.0})},
            InvalidOption,
            "logitBias: expected tokens from 0 to 100",
        ),
        ({"sampling": Sampling(logit_bias={1: float("inf")})}, InvalidOption, "logitBias"),
        ({"sampling": Sampling(seed=-1)}, InvalidOption, "seed"),
    ],
    ids=str,
)
def test_a_request_that_cannot_be_is_refused_before_anything_is_computed(ours, changes, error, message):
    with pytest.raises(error, match=message):
        Stream(ours, Wanted(**{"prompt": [1], "max_tokens": 4, **changes}))


def test_the_context_can_be_filled_to_its_last_token(ours):
    assert len(continued(ours, [1] * 40)[0]) == 8


def test_logits_that_are_not_finite_are_an_error_and_no_token():
    broken = network()
    with torch.no_grad():
        broken.ln_f.weight[0] = float("inf")
    with pytest.raises(NonFiniteOutput):
        continued(broken, [1])
    with pytest.raises(NonFiniteOutput):
        looked_into(broken, [1])


def test_the_global_random_state_is_neither_used_nor_changed(ours):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = continued(ours, [1], seed=4)[0]
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(2)
    assert continued(ours, [1], seed=4)[0] == first
    assert continued(ours, [1], seed=5)[0] != first


# --- the reference as a process -----------------------------------------------------------------------------


def asked(args, *requests):
    """The ready line of ``plain_gpt2.py`` and its replies, each with its arrays."""
    command = [sys.executable, "-I", plain_gpt2.__file__, "--checkpoint", args.checkpoint]
    lines = b"".join(json.dumps(request).encode() + b"\n" for request in requests)
    done = subprocess.run(
        [*command, "--config", args.config, "--threads", "2"],
        input=lines, capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    rest = done.stdout
    replies = []
    while rest:
        line, _, rest = rest.partition(b"\n")
        header = json.loads(line)
        for stage in header.get("stages", []):
            dtype = np.dtype(stage["dtype"])
            size = dtype.itemsize * int(np.prod(stage["shape"]))
            stage["values"], rest = np.frombuffer(rest[:size], dtype).reshape(stage["shape"]), rest[size:]
        replies.append(header)
    return done.returncode, replies


def test_the_plain_reference_answers_line_by_line(tmp_path, ours):
    code, replies = asked(
        files(tmp_path),
        {"ids": [1, 2, 3], "maxTokens": 4, "seed": 9},
        {"ids": [101]},
        {"ids": [1], "maxTokens": 2, "stages": False, "temperature": 0},
        {"ids": [1], "tempo": 3},
    )
    assert code == 0
    ready, first, wrong, short, unknown = replies
    assert ready["ready"]["threads"] == 2
    reference = reference_for(torch.__version__)
    assert (ready["ready"]["head"], ready["ready"]["scores"]) == (reference.head, reference.scale)
    names = [stage["name"] for stage in first["stages"]]
    assert names[:4] == ["tokenEmbeddings", "positionEmbeddings", "attention.0", "hidden.0"]
    assert names[-4:] == ["norm", "logits", "steps", "tokens"]
    assert first["stages"][-1]["values"].tolist() == continued(ours, [1, 2, 3], 4, seed=9)[0]
    assert "index out of range" in wrong["error"]["message"]
    assert [stage["name"] for stage in short["stages"]] == ["steps", "tokens"]
    assert unknown["error"]["message"] == "unknown: tempo"


def test_the_plain_reference_refuses_another_file(tmp_path):
    args = files(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"no checkpoint")
    code, replies = asked(args)
    assert code == 65
    assert replies[0]["fatal"]["code"] in ("CHECKPOINT_CORRUPT", "CHECKPOINT_MISMATCH")
