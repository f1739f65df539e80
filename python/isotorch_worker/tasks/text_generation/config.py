"""What a folder's ``config.json`` says of the network; what this one does not compute is refused by name."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from isotorch_worker.base.told import brief
from isotorch_worker.protocol.errors import CheckpointMismatch

# Of a config.json; transformers' own have 1 or 2 kB.
MOST_BYTES = 1024 * 1024
_MOST = {
    "n_layer": 1000,
    "n_head": 1000,
    "n_embd": 100_000,
    "n_positions": 1_000_000,
    "vocab_size": 10_000_000,
}
_MOST_INNER = 400_000
# transformers takes these names for the same.
_ALIASES = {
    "n_layer": ("num_hidden_layers",),
    "n_head": ("num_attention_heads",),
    "n_embd": ("hidden_size",),
    "n_positions": ("max_position_embeddings", "n_ctx"),
}
# What GPT2LMHeadModel can be told to do and this network does not: the one value that is computed here.
_ONLY: dict[str, Any] = {
    "model_type": "gpt2",
    "activation_function": "gelu_new",
    "scale_attn_weights": True,
    "scale_attn_by_inverse_layer_idx": False,
    "reorder_and_upcast_attn": False,
    "add_cross_attention": False,
    "is_encoder_decoder": False,
    "tie_word_embeddings": True,
    "pruned_heads": {},
    "quantization_config": None,
}
# What only training uses, or nobody who is given everything that a text depends on with its request.
_OTHERS = {
    *("_name_or_path", "_num_labels", "architectures", "attn_pdrop", "bos_token_id", "dtype", "embd_pdrop"),
    *(
        "eos_token_id",
        "finetuning_task",
        "gradient_checkpointing",
        "id2label",
        "initializer_range",
        "label2id",
    ),
    *("layer_norm_epsilon", "n_inner", "n_special", "output_past", "pad_token_id", "predict_special_tokens"),
    *("resid_pdrop", "task_specific_params", "torch_dtype", "transformers_version", "use_cache"),
}


class Config(NamedTuple):
    """The sizes of a GPT-2."""

    layers: int
    heads: int
    width: int
    """Values of one token."""
    positions: int
    """Tokens that it sees at most."""
    vocabulary: int
    inner: int
    """Values of one token inside a layer's MLP."""
    epsilon: float
    """What each layer norm adds to the variance."""

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The size of each tensor by its name in ``GPT2Model``, in the order of its files."""
        wide, inner = self.width, self.inner
        found: dict[str, tuple[int, ...]] = {
            "wte.weight": (self.vocabulary, wide),
            "wpe.weight": (self.positions, wide),
        }
        for layer in range(self.layers):
            parts: dict[str, tuple[int, ...]] = {
                "ln_1.weight": (wide,),
                "ln_1.bias": (wide,),
                "attn.c_attn.weight": (wide, 3 * wide),
                "attn.c_attn.bias": (3 * wide,),
                "attn.c_proj.weight": (wide, wide),
                "attn.c_proj.bias": (wide,),
                "ln_2.weight": (wide,),
                "ln_2.bias": (wide,),
                "mlp.c_fc.weight": (wide, inner),
                "mlp.c_fc.bias": (inner,),
                "mlp.c_proj.weight": (inner, wide),
                "mlp.c_proj.bias": (wide,),
            }
            found.update({f"h.{layer}.{name}": shape for name, shape in parts.items()})
        return {**found, "ln_f.weight": (wide,), "ln_f.bias": (wide,)}


def read_config(data: bytes) -> tuple[Config, list[str]]:
    """The sizes in a ``config.json``, and sentences on what else stands in it.

    Raises CheckpointMismatch for what is no such file, for sizes that are none, and for whatever it asks for
    that is not computed here.
    """
    fields = _parsed(data)
    for name, wanted in _ONLY.items():
        # Without a word transformers takes this value, too; a file without a type may be anything.
        given = fields.get(name, None if name == "model_type" else wanted)
        if type(given) is not type(wanted) or given != wanted:
            raise _refused(name, f"{json.dumps(given)}, and {json.dumps(wanted)} alone is computed here")
    sizes = {name: _number(fields, name, most) for name, most in _MOST.items()}
    if sizes["n_embd"] % sizes["n_head"]:
        raise _refused("n_embd", f"{sizes['n_embd']}, which {sizes['n_head']} heads do not divide")
    epsilon = fields.get("layer_norm_epsilon", 1e-5)
    if type(epsilon) not in (int, float) or not 0 < epsilon < math.inf:
        raise _refused("layer_norm_epsilon", f"{brief(json.dumps(epsilon))}, expected a number above 0")
    inner = 4 * sizes["n_embd"]
    if fields.get("n_inner") is not None:
        inner = _number(fields, "n_inner", _MOST_INNER)
    known = {*_ONLY, *_MOST, *_OTHERS, *(alias for names in _ALIASES.values() for alias in names)}
    unknown = sorted(name for name in fields if name not in known and not name.startswith("summary_"))
    remarks: list[str] = []
    if unknown:
        more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        remarks.append(
            f"config.json has {', '.join(map(brief, unknown[:5]))}{more}, which the network does not use: "
            "all else that a text depends on is what its request says."
        )
    layers, heads, width, positions, vocabulary = (sizes[name] for name in _MOST)
    return Config(layers, heads, width, positions, vocabulary, inner, float(epsilon)), remarks


def _parsed(data: bytes) -> Mapping[str, Any]:
    if len(data) > MOST_BYTES:
        raise CheckpointMismatch(
            f"config.json has {len(data)} bytes, more than the {MOST_BYTES} that are read"
        )
    try:
        value = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else brief(error)
        raise CheckpointMismatch(f"config.json is no JSON: {reason}") from None
    if not isinstance(value, dict):
        raise CheckpointMismatch("config.json is no object")
    return cast("dict[str, Any]", value)


def _number(fields: Mapping[str, Any], name: str, most: int) -> int:
    """The size ``name``, which may be there by another name as well, but not as another number."""
    given = {one: fields[one] for one in (name, *_ALIASES.get(name, ())) if one in fields}
    if not given:
        raise CheckpointMismatch(f"config.json has no {name}")
    for one, value in given.items():
        if type(value) is not int or not 1 <= value <= most:
            raise _refused(one, f"{brief(json.dumps(value))}, expected a number from 1 to {most}")
    if len(set(given.values())) > 1:
        said = ", ".join(f"{one}: {value}" for one, value in given.items())
        raise CheckpointMismatch(f"config.json contradicts itself: {said}")
    return next(iter(given.values()))


def _refused(name: str, why: str) -> CheckpointMismatch:
    return CheckpointMismatch(f"config.json has {name}: {why}")
