"""Files of texts' networks: what their configuration may say, and what a checkpoint must be."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from isotorch_worker.checkpoints.checkpoint import read_checkpoint
from isotorch_worker.checkpoints.reader import read_contents
from isotorch_worker.protocol.errors import CheckpointCorrupt, CheckpointMismatch
from isotorch_worker.tasks.text_generation.config import MOST_BYTES, Config, read_config
from isotorch_worker.tasks.text_generation.reference import REFERENCES
from isotorch_worker.tasks.text_generation.untrained import ensure_untrained, make_untrained
from isotorch_worker.tasks.text_generation.weights import fill
from saved import saved
from small_gpt2 import CONFIG, JSON, drawn, masks, network, safetensors

ROOT = Path(__file__).resolve().parents[2]


def config(**changes):
    """What config.json says with these changes; None takes a field away."""
    fields = {**JSON, **changes}
    return read_config(json.dumps(fields).encode())


def without(*names):
    return read_config(
        json.dumps({name: value for name, value in JSON.items() if name not in names}).encode()
    )


def filled(state):
    contents = read_contents(memoryview(bytearray(safetensors(state))))
    return fill(contents, CONFIG, REFERENCES[0])


# --- config.json --------------------------------------------------------------------------------------------


def test_sizes_are_read_by_either_name():
    assert config() == (CONFIG, [])
    aliases = {"num_hidden_layers": 3, "num_attention_heads": 2, "hidden_size": 48, "n_ctx": 48}
    fields = {"model_type": "gpt2", "vocab_size": 101, **aliases}
    assert read_config(json.dumps(fields).encode())[0] == CONFIG


@pytest.mark.parametrize("size", ["gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl"])
def test_the_files_that_ship_are_read_without_a_remark(size):
    found, remarks = read_config((ROOT / "models" / "gpt2" / f"{size}.config.json").read_bytes())
    assert remarks == []
    assert (found.vocabulary, found.positions, found.width // found.heads) == (50257, 1024, 64)
    assert found.inner == 4 * found.width


def test_an_inner_size_and_an_epsilon_of_their_own_are_taken():
    assert config(n_inner=77)[0].inner == 77
    assert config(n_inner=None)[0].inner == 192
    assert config(layer_norm_epsilon=1e-6)[0].epsilon == 1e-6


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("model_type", "gpt_neo"),
        ("model_type", None),
        ("activation_function", "gelu"),
        ("activation_function", "gelu_pytorch_tanh"),
        ("scale_attn_weights", False),
        ("scale_attn_by_inverse_layer_idx", True),
        ("reorder_and_upcast_attn", True),
        ("reorder_and_upcast_attn", 1),
        ("scale_attn_weights", 1),
        ("add_cross_attention", True),
        ("is_encoder_decoder", True),
        ("tie_word_embeddings", False),
        ("pruned_heads", {"0": [1]}),
        ("quantization_config", {"bits": 4}),
        ("n_embd", 47),
        ("n_embd", 48.0),
        ("n_embd", True),
        ("n_embd", "48"),
        ("n_embd", 0),
        ("n_head", -2),
        ("n_layer", 10**9),
        ("vocab_size", 10**12),
        ("n_inner", 0),
        ("n_inner", 10**9),
        ("layer_norm_epsilon", 0),
        ("layer_norm_epsilon", "small"),
        ("layer_norm_epsilon", float("nan")),
    ],
    ids=str,
)
def test_what_is_not_computed_here_is_refused_by_its_name(name, value):
    with pytest.raises(CheckpointMismatch, match=f"config.json has {name}: "):
        config(**{name: value})


def test_a_file_without_its_type_or_a_size_is_refused():
    with pytest.raises(CheckpointMismatch, match=r"config\.json has model_type: null"):
        without("model_type")
    with pytest.raises(CheckpointMismatch, match=r"config\.json has no n_layer"):
        without("n_layer")


def test_a_file_that_contradicts_itself_is_refused():
    with pytest.raises(CheckpointMismatch, match="contradicts itself: n_positions: 48, n_ctx: 1024"):
        config(n_ctx=1024)


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"\xff\xfe", b"[" * 100_000, b'"gpt2"'], ids=len)
def test_what_is_no_json_object_is_refused(data):
    with pytest.raises(CheckpointMismatch, match=r"config\.json is no"):
        read_config(data)


def test_a_file_that_is_too_large_is_refused_unread():
    with pytest.raises(CheckpointMismatch, match="bytes, more than"):
        read_config(b" " * (MOST_BYTES + 1))


def test_what_changes_no_bit_is_passed_over_and_what_is_unknown_is_said():
    training = {"attn_pdrop": 0.1, "initializer_range": 0.02, "summary_type": "cls_index", "use_cache": True}
    assert config(**training, torch_dtype="float16", architectures=["GPT2LMHeadModel"])[1] == []
    (remark,) = config(no_repeat_ngram_size=3, loss="z")[1]
    assert "config.json has loss, no_repeat_ngram_size, which the network does not use" in remark


# --- the checkpoint -----------------------------------------------------------------------------------------


def test_names_are_taken_with_and_without_their_prefix():
    state = drawn()
    expected = network(state).state_dict()
    for prefix in ("", "transformer."):
        found, cut, remarks = filled({f"{prefix}{name}": value for name, value in state.items()})
        assert (cut, remarks) == (prefix, [])
        assert all(torch.equal(found.state_dict()[name], value) for name, value in expected.items())


@pytest.mark.parametrize("dtype", [torch.uint8, torch.bool, torch.float32])
def test_masks_and_a_head_that_is_the_embeddings_are_passed_over(dtype):
    state = {**drawn(), **masks(dtype=dtype)}
    state = {f"transformer.{name}": value for name, value in state.items()}
    state["lm_head.weight"] = drawn()["wte.weight"]
    found, prefix, _ = filled(state)
    assert prefix == "transformer."
    assert set(found.state_dict()) == set(drawn())


def test_a_mask_that_is_not_the_constant_is_refused():
    for name, value in {
        "h.1.attn.bias": torch.ones(1, 1, 48, 48, dtype=torch.uint8),
        "h.0.attn.bias": torch.tril(torch.ones(64, 64)).reshape(1, 1, 64, 64),
        "h.2.attn.masked_bias": torch.tensor(0.0),
    }.items():
        with pytest.raises(CheckpointMismatch, match=f"another mask in {name}"):
            filled({**drawn(), **masks(), name: value})


def test_a_head_of_its_own_is_refused():
    with pytest.raises(CheckpointMismatch, match=r"lm_head\.weight that is not wte\.weight"):
        filled({**drawn(), "lm_head.weight": drawn(seed=6)["wte.weight"]})


def test_what_is_missing_and_what_is_there_besides_is_named():
    state = drawn()
    del state["h.2.mlp.c_fc.bias"]
    with pytest.raises(CheckpointMismatch, match=r"missing: h\.2\.mlp\.c_fc\.bias$"):
        filled(state)
    with pytest.raises(CheckpointMismatch, match=r"unexpected: h\.3\.ln_1\.bias$"):
        filled({**drawn(), "h.3.ln_1.bias": torch.zeros(48)})
    with pytest.raises(CheckpointMismatch, match=r"missing: .* and .* more; unexpected: other"):
        filled({"other": torch.zeros(2)})


def test_a_shape_that_does_not_fit_the_configuration_is_named():
    for name, shape in {
        "wpe.weight": (64, 48),
        "h.0.attn.c_attn.weight": (144, 48),
        "wte.weight": (102, 48),
    }.items():
        with pytest.raises(CheckpointMismatch, match=rf"{name} is \[{shape[0]}, {shape[1]}\], expected"):
            filled({**drawn(), name: torch.zeros(shape)})


def test_no_memory_is_taken_for_sizes_that_config_json_alone_claims():
    contents = read_contents(memoryview(bytearray(safetensors(drawn()))))
    huge = Config(1000, 1, 100_000, 48, 10_000_000, 400_000, 1e-5)
    with pytest.raises(CheckpointMismatch, match=r"does not fit config\.json"):
        fill(contents, huge, REFERENCES[0])


@pytest.mark.parametrize("kind", ["float16", "bfloat16", "float64"])
def test_other_floats_become_float32_and_it_is_said(kind):
    state = {name: value.to(getattr(torch, kind)) for name, value in drawn().items()}
    found, _, (remark,) = filled(state)
    assert f"stored as {kind}" in remark
    for name, value in found.state_dict().items():
        assert value.dtype == torch.float32
        assert torch.equal(value, state[name].float())


def test_integers_and_what_is_not_finite_are_refused():
    with pytest.raises(CheckpointMismatch, match=r"torch\.int64 in h\.0\.ln_1\.bias"):
        filled({**drawn(), "h.0.ln_1.bias": torch.zeros(48, dtype=torch.int64)})
    for value in (math.nan, math.inf):
        with pytest.raises(CheckpointCorrupt, match=r"NaN or infinite values in h\.0\.ln_1\.bias"):
            filled({**drawn(), "h.0.ln_1.bias": torch.full((48,), value)})


def test_a_pickle_is_refused():
    contents = read_contents(memoryview(saved(drawn())))
    with pytest.raises(CheckpointMismatch, match="no safetensors file"):
        fill(contents, CONFIG, REFERENCES[0])


def test_a_header_that_lies_is_refused():
    data = bytearray(safetensors(drawn()))
    data[0:8] = (len(data) * 2).to_bytes(8, "little")
    with pytest.raises(CheckpointCorrupt, match="more than the file"):
        read_contents(memoryview(data))


# --- untrained weights --------------------------------------------------------------------------------------


def test_untrained_weights_have_the_same_bytes_everywhere(tmp_path):
    path = tmp_path / "u.safetensors"
    digest = make_untrained(path, 0, CONFIG)
    assert digest == "9674b7af24d9d21fb20d86b2e876959fc567f01c3fcc19aca25d8e96f2d6930b"
    assert hashlib.sha256(path.read_bytes()).hexdigest() == digest
    assert (tmp_path / "u.safetensors.sha256").read_text() == f"{digest}  u.safetensors\n"
    assert make_untrained(tmp_path / "v.safetensors", 1, CONFIG) != digest


def test_untrained_weights_begin_as_gpt2s_and_say_that_nobody_trained_them(tmp_path):
    path = tmp_path / "u.safetensors"
    ensure_untrained(path, 3, CONFIG)
    contents, _ = read_checkpoint(path, ensure_untrained(path, 3, CONFIG))
    assert contents.metadata == {"format": "pt", "isotorch": "untrained:3"}
    state = fill(contents, CONFIG, REFERENCES[0])[0].state_dict()
    assert float(state["wte.weight"].std()) == pytest.approx(0.02, rel=0.05)
    assert float(state["wte.weight"].mean()) == pytest.approx(0, abs=0.001)
    assert float(state["h.1.mlp.c_fc.weight"].std()) == pytest.approx(0.02, rel=0.05)
    smaller = 0.02 / math.sqrt(6)
    assert float(state["h.1.mlp.c_proj.weight"].std()) == pytest.approx(smaller, rel=0.05)
    assert float(state["h.1.attn.c_proj.weight"].std()) == pytest.approx(smaller, rel=0.05)
    for name, value in state.items():
        if name.endswith(".bias"):
            assert not bool(value.any())
        elif "ln_" in name:
            assert bool((value == 1).all())
    # Close to normal: its quarters and its tails.
    values = np.sort(state["h.0.attn.c_attn.weight"].numpy().ravel()) / 0.02
    assert values[len(values) // 4] == pytest.approx(-0.674, abs=0.05)
    assert values[int(len(values) * 0.975)] == pytest.approx(1.96, abs=0.08)


def test_parts_that_are_drawn_at_once_change_no_number(monkeypatch):
    from isotorch_worker.tasks.text_generation import untrained

    whole = b"".join(untrained.untrained_bytes(0, CONFIG))
    monkeypatch.setattr(untrained, "_AT_ONCE", 1000)
    assert b"".join(untrained.untrained_bytes(0, CONFIG)) == whole
