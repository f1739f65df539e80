"""Which dicts of a checkpoint are state dicts, which one is taken, and the prefixes of their names."""

from __future__ import annotations

import pickle
from collections.abc import Mapping

import pytest

from isotorch_worker.checkpoints.candidates import Candidate, candidates, choose
from isotorch_worker.checkpoints.inert import Dead, Layout, Name, OddTensor, OtherKey, Storage
from isotorch_worker.checkpoints.pickles import unpickled
from isotorch_worker.checkpoints.prefixes import fitting, without_prefix
from isotorch_worker.protocol.errors import CheckpointMismatch, InvalidOption


def tensor(*shape: int, dtype: str = "float32") -> Layout:
    return Layout(Storage(dtype, "0", 100), 0, shape, tuple(1 for _ in shape))


def state(prefix: str = "") -> dict[object, object]:
    return {f"{prefix}0.weight": tensor(2, 3), f"{prefix}0.bias": tensor(2), f"{prefix}1.steps": tensor()}


def keys(value: object) -> list[str]:
    return [one.key for one in candidates(value)]


def module(
    parameters: Mapping[str, object], modules: Mapping[str, object] | None = None, **more: object
) -> Dead:
    made = Dead(Name("a", "Net"), ())
    made.state = {"_parameters": dict(parameters), "_buffers": {}, "_modules": dict(modules or {}), **more}
    return made


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (state(), [""]),
        ({"model": state()}, ["model"]),
        ({"a": {"b": {"c": {"d": state()}}}}, ["a.b.c.d"]),
        ({"a": {"b": {"c": {"d": {"e": state()}}}}}, []),
        ({"model": state(), "ema": state(), "epoch": 3}, ["model", "ema"]),
        ({"later": {"model": state()}, "model": state()}, ["model", "later.model"]),
        ({**state(), "epoch": 3}, [""]),
        ({**state(), "a": 1, "b": 2, "c": 3}, []),
        ({"model": state(), "best": tensor()}, ["model"]),
        ({"metrics": {"loss": tensor(), "accuracy": tensor()}, "model": state()}, ["model"]),
        ({"rng": {"cpu": tensor(5056, dtype="uint8")}, "model": state()}, ["model"]),
        ({"optimizer": {"state": {"w": {"m": tensor(3)}}, "param_groups": []}, "model": state()}, ["model"]),
        ({OtherKey(0): state()}, []),
        ({**state(), OtherKey(1): tensor(2)}, []),
        ([state()], []),
        ({"steps": tensor(dtype="int64")}, [""]),
        ({"model": {"steps": tensor(dtype="int64")}}, []),
        ({"model": module({"w": tensor(1)}), "loss": module({})}, ["model"]),
        (module({"w": tensor(1)}, {"inner": module({"w": tensor(1)})}), [""]),
        ({**state(), "head": state()}, ["", "head"]),
    ],
)
def test_state_dicts_are_found_where_they_are(value, found):
    assert keys(value) == found


def test_a_key_chooses_and_a_wrong_one_is_told_the_others():
    value = {"model": state(), "ema": {"model": state("module.")}}
    assert choose(value, "ema.model").names.keys() == state("module.").keys()
    with pytest.raises(InvalidOption) as caught:
        choose(value, "ema")
    assert caught.value.message == (
        'checkpointKey: expected one of "model" (3 tensors), "ema.model" (3 tensors), received \'ema\''
    )
    assert choose(state(), "").key == ""
    with pytest.raises(CheckpointMismatch, match="not a state dict"):
        choose({"a": 1}, "a")


def test_what_is_no_tensor_is_kept_by_name():
    chosen = choose({**state(), "epoch": 3, "more": {"lr": 0.1}})
    assert chosen.beside == {"epoch": "a number", "more": "a dict of 1"}
    assert chosen.names.keys() == state().keys()


def test_the_counter_of_an_average_is_no_part_of_the_network_and_any_other_is():
    counter = tensor(dtype="int64")
    assert choose({"n_averaged": counter, **state("module.")}).beside == {
        "n_averaged": "the counter of an average"
    }
    for value in (
        {"n_averaged": counter, **state()},
        {"n_averaged": tensor(2, dtype="int64"), **state("module.")},
        {"count": counter, **state("module.")},
    ):
        assert choose(value).names.keys() == value.keys()


def test_a_tensor_that_is_not_read_is_refused_by_name_and_only_where_it_is_chosen():
    value = {"model": state(), "small": {**state(), "2.weight": OddTensor("a quantised tensor")}}
    assert choose(value, "model").odd == {}
    with pytest.raises(CheckpointMismatch, match=r"a quantised tensor in 2\.weight, expected plain numbers"):
        choose(value, "small")


def test_a_whole_network_has_the_names_of_its_state_dict_in_their_order():
    passing = Dead(Name("builtins", "set"), (["cache"],))
    inner = module({"weight": tensor(1), "bias": None}, None, _non_persistent_buffers_set=passing)
    inner.state["_buffers"] = {"mean": tensor(1), "cache": tensor(1), "none": None}
    outer = module({"scale": tensor(1)}, {"a": inner, "nothing": None, "b": inner})
    assert list(choose(outer).names) == ["scale", "a.weight", "a.mean", "b.weight", "b.mean"]


def endless() -> Dead:
    made = module({"w": tensor(1)})
    made.state["_modules"]["again"] = made
    return made


def doubled() -> Dead:
    made = module({"w": tensor(1)})
    for _ in range(40):
        made = module({}, {"a": made, "b": made})
    return made


def broad() -> Dead:
    nothing = module({f"{n}": None for n in range(1000)})
    return module({"w": tensor(1)}, {f"{n}": nothing for n in range(1000)})


@pytest.mark.parametrize(
    "make",
    [endless, doubled, broad, lambda: module({"w" * 2000: tensor(1)})],
    ids=["a circle", "2^40 modules", "a million names of nothing", "a name without end"],
)
def test_modules_without_end_are_refused(make):
    with pytest.raises(CheckpointMismatch, match="modules in modules without end"):
        choose({"model": make()})


def test_dicts_in_themselves_and_in_each_other_are_looked_at_once():
    value: dict[object, object] = {"model": state()}
    value["self"] = value
    shared: dict[object, object] = {}
    for _ in range(4):
        shared = {f"{n}": shared for n in range(1000)}
    value["many"] = shared
    assert keys(value) == ["model"]


def test_a_thousand_objects_that_share_a_large_table_are_looked_at_once():
    table = {f"{n}": n for n in range(200_000)}
    objects: dict[object, object] = {}
    for n in range(100_000):
        objects[f"{n}"] = Dead(Name("a", "b"), ())
        objects[f"{n}"].state = table  # type: ignore[attr-defined]
    assert keys({"model": state(), "many": objects}) == ["model"]


def test_more_than_a_hundred_state_dicts_are_refused():
    with pytest.raises(CheckpointMismatch, match="more than 100 state dicts"):
        candidates({f"{n}": state() for n in range(101)})
    with pytest.raises(CheckpointMismatch) as caught:
        choose({"k" * 150 + str(n): state() for n in range(100)})
    assert len(caught.value.message) < 2000
    assert "and 94 more" in caught.value.message


def test_a_name_of_megabytes_is_not_repeated_for_all_that_is_under_it():
    value, _ = unpickled(
        memoryview(pickle.dumps({"k" * 2**20: {str(n): {"a": n} for n in range(10_000)}}, 4))
    )
    assert keys(value) == []


# --- prefixes -----------------------------------------------------------------------------------------------


WANTED = {"0.weight": (2, 3), "0.bias": (2,), "1.steps": ()}


def candidate(names: dict[object, object], versions: list[str] | None = None) -> Candidate:
    found = choose(names)
    metadata = None if versions is None else {name: {"version": 2} for name in versions}
    return Candidate("", found.names, metadata, {}, {}, ("",))


@pytest.mark.parametrize(
    "prefix",
    ["", "module.", "model.", "_orig_mod.", "net.", "backbone.", "0.", "module._orig_mod.model.a.b."],
)
def test_a_prefix_that_all_names_have_is_stripped_and_told(prefix):
    stripped, found = without_prefix(candidate(state(prefix)), fitting(WANTED))
    assert (stripped, list(found.names)) == (prefix, list(WANTED))


def test_versions_are_stripped_along():
    modules = ["", "module", "module.0", "module.1", "modules"]
    _, found = without_prefix(candidate(state("module."), modules), fitting(WANTED))
    assert list(found.metadata or {}) == ["", "0", "1"]
    _, same = without_prefix(candidate(state(), modules), fitting(WANTED))
    assert list(same.metadata or {}) == modules


def test_nothing_is_stripped_where_what_is_left_does_not_fit():
    for names in (
        state("module.") | {"module.2.weight": tensor(2)},
        {"module.0.weight": tensor(2, 3), "module.0.bias": tensor(2)},
        {"module.0.weight": tensor(3, 2), "module.0.bias": tensor(2), "module.1.steps": tensor()},
        {"other": tensor(1)},
        {"module.": tensor(1)},
    ):
        before = candidate(names)
        assert without_prefix(before, fitting(WANTED)) == ("", before)


def test_names_that_fit_as_they_are_are_left_though_all_have_a_prefix():
    wanted = {f"module.{name}": shape for name, shape in WANTED.items()}
    assert without_prefix(candidate(state("module.")), fitting(wanted))[0] == ""


def test_counters_may_be_absent_and_nothing_else():
    wanted = {**WANTED, "1.num_batches_tracked": ()}
    assert without_prefix(candidate(state("model.")), fitting(wanted))[0] == "model."
    assert not fitting({**WANTED, "1.running_mean": (2,)})(WANTED)
    assert not fitting(WANTED)({**WANTED, "2.num_batches_tracked": ()})


@pytest.mark.parametrize("around", ["", "module."])
@pytest.mark.parametrize("prefix", ["model.", "_orig_mod.model."])
def test_what_is_beside_the_network_is_named(around, prefix):
    names = {**state(around + prefix), f"{around}criterion.weight": tensor(5), f"{around}scale": tensor(1)}
    with pytest.raises(CheckpointMismatch) as caught:
        without_prefix(candidate(names), fitting(WANTED))
    assert (
        f"the network under {around}{prefix} and beside it {around}criterion.weight" in caught.value.message
    )
    assert "torch.save(model.state_dict(), path)" in str(caught.value.hint)


def test_many_names_beside_the_network_are_counted():
    names = {**state("model."), **{f"metric.{n}": tensor(1) for n in range(10)}}
    with pytest.raises(CheckpointMismatch, match=r"metric\.0, metric\.1, metric\.2 and 7 more"):
        without_prefix(candidate(names), fitting(WANTED))
