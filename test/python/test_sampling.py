"""Each way of sampling beside its meaning in plain Python, and random numbers as transformers draws them."""

from __future__ import annotations

import math

import pytest
import torch

from isotorch_worker.protocol.errors import NonFiniteOutput
from isotorch_worker.tasks.text_generation.sampling import (
    Sampler,
    Sampling,
    candidates,
    log_probabilities,
    min_p,
    penalised,
    top_k,
    top_p,
)

CPU = torch.device("cpu")
VOCABULARY = 200


def logits(seed=0, spread=2.0):
    return spread * torch.randn(1, VOCABULARY, generator=torch.Generator().manual_seed(seed))


def softmax(values):
    most = max(values)
    weights = [math.exp(value - most) for value in values]
    return [weight / sum(weights) for weight in weights]


def kept(scores):
    return {at for at, score in enumerate(scores[0].tolist()) if score != -math.inf}


def choose(how, scores, before=(0,)):
    return int(Sampler(how, scores.size(-1), CPU).choose(scores, torch.tensor([list(before)])))


SEEDS = range(20)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("count", [1, 2, 40, 199, 200, 10_000])
def test_top_k_keeps_the_k_largest(seed, count):
    scores = logits(seed)
    order = sorted(range(VOCABULARY), key=lambda at: -float(scores[0, at]))
    assert kept(top_k(scores, count)) == set(order[:count])


def test_top_k_keeps_all_that_are_equal_to_the_last():
    assert kept(top_k(torch.tensor([[3.0, 2.0, 2.0, 2.0, 1.0]]), 2)) == {0, 1, 2, 3}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("probability", [1e-4, 0.1, 0.5, 0.9, 0.999])
def test_top_p_keeps_the_fewest_that_have_the_probability_together(seed, probability):
    scores = logits(seed)
    likelihood = softmax(scores[0].tolist())
    order = sorted(range(VOCABULARY), key=lambda at: -likelihood[at])
    expected, total = set(), 0.0
    for at in order:
        expected.add(at)
        total += likelihood[at]
        if total >= probability:
            break
    assert kept(top_p(scores, probability)) == expected


def test_top_p_takes_no_more_than_it_needs():
    # Three of four that are alike have three quarters.
    assert len(kept(top_p(torch.zeros(1, 4), 0.75))) == 3


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("part", [0.001, 0.05, 0.5, 1.0])
def test_min_p_keeps_what_has_a_part_of_the_likeliest_ones_probability(seed, part):
    scores = logits(seed)
    likelihood = softmax(scores[0].tolist())
    expected = {at for at, one in enumerate(likelihood) if one >= part * max(likelihood) * (1 - 1e-6)}
    assert kept(min_p(scores, part)) == expected


@pytest.mark.parametrize("keep", [lambda s: top_p(s, 1e-9), lambda s: min_p(s, 1.0), lambda s: top_k(s, 1)])
def test_one_token_is_always_left(keep):
    assert len(kept(keep(logits()))) == 1


@pytest.mark.parametrize("penalty", [0.5, 1.2, 5.0])
def test_a_penalty_divides_what_is_above_zero_and_multiplies_what_is_below_once(penalty):
    scores = logits(3)
    before = [5, 9, 5, 11, 5]
    found = penalised(scores, torch.tensor([before]), penalty)[0]
    for at, score in enumerate(scores[0]):
        expected = (score * penalty if score < 0 else score / penalty) if at in before else score
        assert found[at] == expected
    assert torch.equal(scores, logits(3)), "what was given stays as it was"


def test_a_temperature_of_zero_takes_the_largest_whatever_the_seed():
    scores = logits(1)
    best = int(scores.argmax())
    for seed in range(5):
        assert choose(Sampling(temperature=0, seed=seed), scores) == best
    # Of what a bias and a penalty make of it.
    assert choose(Sampling(temperature=0, logit_bias={7: 100.0}), scores) == 7
    assert choose(Sampling(temperature=0, repetition_penalty=1e6), scores, [best]) != best


def test_a_bias_is_added_before_the_penalty():
    scores = torch.tensor([[1.0, 0.5, -3.0]])
    how = Sampling(temperature=0, logit_bias={1: 2.0}, repetition_penalty=4.0)
    # 0.5 + 2 is divided by 4: less than 1. Added afterwards it would be the largest.
    assert choose(how, scores, [1]) == 0


def test_a_bias_can_forbid():
    how = Sampling(logit_bias={at: -1e9 for at in range(VOCABULARY) if at != 13})
    assert {choose(Sampling(seed=seed, logit_bias=how.logit_bias), logits()) for seed in SEEDS} == {13}


def as_transformers(scores, how, before, count):
    """Ids as ``generate(do_sample=True)`` draws them: its lines, with the global random state."""
    torch.manual_seed(how.seed)
    drawn = []
    for _ in range(count):
        one = scores
        if how.repetition_penalty != 1:
            score = torch.gather(one, 1, before)
            score = torch.where(score < 0, score * how.repetition_penalty, score / how.repetition_penalty)
            one = one.scatter(1, before, score)
        one = one / how.temperature
        if how.top_k:
            one = one.masked_fill(one < torch.topk(one, how.top_k)[0][..., -1, None], -math.inf)
        drawn.append(int(torch.multinomial(torch.nn.functional.softmax(one, dim=-1), num_samples=1)))
    return drawn


@pytest.mark.parametrize("seed", [0, 1, 7, 2**31, 2**32 - 1])
@pytest.mark.parametrize(
    "how", [{}, {"temperature": 0.7, "top_k": 40}, {"temperature": 1.5, "repetition_penalty": 1.3}], ids=str
)
def test_a_seed_gives_the_ids_of_the_global_seed_in_transformers(seed, how):
    how = Sampling(seed=seed, **how)
    before = torch.tensor([[1, 2, 3]])
    state = torch.get_rng_state()
    expected = as_transformers(logits(4), how, before, 12)
    torch.set_rng_state(state)
    sampler = Sampler(how, VOCABULARY, CPU)
    assert [int(sampler.choose(logits(4), before)) for _ in range(12)] == expected
    assert torch.equal(state, torch.get_rng_state())


def test_what_is_drawn_is_distributed_as_the_softmax_says():
    scores = torch.tensor([[0.0, 1.0, 2.0]])
    sampler = Sampler(Sampling(seed=1), 3, CPU)
    drawn = [int(sampler.choose(scores, torch.tensor([[0]]))) for _ in range(3000)]
    for token, expected in enumerate(softmax([0.0, 1.0, 2.0])):
        assert drawn.count(token) / 3000 == pytest.approx(expected, abs=0.03)


def test_log_probabilities_are_of_all_tokens_at_temperature_one():
    scores = logits(2)
    found = log_probabilities(scores)
    expected = [math.log(one) for one in softmax(scores[0].tolist())]
    assert found[0].tolist() == pytest.approx(expected, abs=1e-5)
    with pytest.raises(NonFiniteOutput):
        log_probabilities(torch.tensor([[0.0, math.nan]]))


def test_candidates_come_best_first_and_of_equals_the_lower_id():
    ids, values = candidates(torch.tensor([[-3.0, -1.0, -2.0, -1.0]]), 3)
    assert (ids.tolist(), values.tolist()) == ([1, 3, 2], [-1.0, -1.0, -2.0])
    assert candidates(torch.tensor([[-1.0, -2.0]]), 0)[0].tolist() == []
