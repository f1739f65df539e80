"""transformers' own GPT-2 with eager attention, to compare with, where the environment has it.

Asked as ``plain_gpt2.py`` is: see ``reference_text.py``. How it computes is its version's affair.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# Run by its path with -I, which leaves the script's directory out of sys.path.
sys.path.insert(0, str(Path(__file__).resolve().parent))

import torch
from torch import Tensor, nn

import reference_text
from reference_checkpoint import Refusal
from reference_tokens import LibraryTokens


class TransformersGpt2:
    """``GPT2LMHeadModel``, and what its modules give, by hooks."""

    def __init__(self, args: argparse.Namespace) -> None:
        try:
            import transformers
        except ImportError as error:
            raise Refusal("ENVIRONMENT_BROKEN", f"transformers cannot be imported: {error}") from None
        transformers.logging.set_verbosity_error()
        config = transformers.GPT2Config(**json.loads(Path(args.config).read_text("utf-8")))
        # Older versions have no other.
        config._attn_implementation = "eager"
        self.model: Any = transformers.GPT2LMHeadModel(config)
        state = reference_text.read_state(args)
        answer = self.model.transformer.load_state_dict(
            {name: value for name, value in state.items() if name != "lm_head.weight"}, strict=False
        )
        missing = [name for name in answer.missing_keys if not name.endswith((".attn.bias", ".masked_bias"))]
        if missing or answer.unexpected_keys:
            raise Refusal("CHECKPOINT_MISMATCH", f"transformers misses {missing}, {answer.unexpected_keys}")
        self.model.tie_weights()
        self.model.eval()
        for one in (self.model.config, self.model.generation_config):
            one.eos_token_id = one.bos_token_id = one.pad_token_id = None
        has = {"minP": "min_p", "bias": "sequence_bias"}
        known = transformers.GenerationConfig()
        self.lacks = {name: option for name, option in has.items() if not hasattr(known, option)}
        self.about = {"transformers": transformers.__version__}

    @torch.no_grad()
    def inspect(self, ids: list[int]) -> dict[str, Tensor]:
        body = self.model.transformer
        names = {body.wte: "tokenEmbeddings", body.wpe: "positionEmbeddings", body.ln_f: "norm"}
        names.update({block: f"hidden.{layer}" for layer, block in enumerate(body.h)})
        with _kept(list(names)) as kept:
            answer = self.model(torch.tensor([ids]), output_attentions=True)
        found = {name: kept[module][0] for module, name in names.items()}
        found.update({f"attention.{layer}": one for layer, one in enumerate(answer.attentions)})
        found["logits"] = answer.logits
        order = ["tokenEmbeddings", "positionEmbeddings"]
        order += [f"{what}.{layer}" for layer in range(len(body.h)) for what in ("attention", "hidden")]
        # The positions' embeddings may lack the dimension of the batch.
        return {name: _alone(found[name], name) for name in [*order, "norm", "logits"]}

    @torch.no_grad()
    def generate(self, ids: list[int], how: dict[str, Any]) -> tuple[list[int], list[Tensor]]:
        for name, option in self.lacks.items():
            if how[name]:
                raise ValueError(f"this transformers has no {option}")
        options: dict[str, Any] = {}
        if how["temperature"]:
            options = {"do_sample": True, "temperature": how["temperature"], "top_p": how["topP"]}
            options["top_k"] = how["topK"]
            if how["minP"]:
                options["min_p"] = how["minP"]
        if how["bias"]:
            options["sequence_bias"] = {(token,): value for token, value in how["bias"]}
        # 4.26 multiplies ids where there are several; then the text is cut behind the first.
        if len(how["stopIds"]) == 1:
            (options["eos_token_id"],) = how["stopIds"]
        torch.manual_seed(how["seed"])
        prompt = torch.tensor([ids])
        with _kept([self.model.lm_head]) as kept:
            answer = self.model.generate(
                prompt,
                attention_mask=torch.ones_like(prompt),
                max_new_tokens=how["maxTokens"],
                repetition_penalty=how["repetitionPenalty"],
                use_cache=True,
                pad_token_id=0,
                **options,
            )
        tokens = answer[0, len(ids) :].tolist()
        end = next((at + 1 for at, token in enumerate(tokens) if token in how["stopIds"]), len(tokens))
        return tokens[:end], [one[0, -1] for one in kept[self.model.lm_head][:end]]


@contextmanager
def _kept(modules: list[nn.Module]) -> Iterator[dict[nn.Module, list[Tensor]]]:
    """What each of them gives, in its order."""
    kept: dict[nn.Module, list[Tensor]] = {module: [] for module in modules}

    def keep(module: nn.Module, _: Any, given: Any) -> None:
        # A copy: older versions change the logits in their place when they sample.
        kept[module].append((given[0] if isinstance(given, tuple) else given).clone())

    hooks = [module.register_forward_hook(keep) for module in modules]
    try:
        yield kept
    finally:
        for hook in hooks:
            hook.remove()


def _alone(stage: Tensor, name: str) -> Tensor:
    """Without the dimension of the batch."""
    return stage[0] if stage.dim() == (4 if name.startswith("attention") else 3) else stage


if __name__ == "__main__":
    sys.exit(reference_text.serve(__doc__.splitlines()[0], TransformersGpt2, LibraryTokens))
