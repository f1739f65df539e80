"""Texts from a worker: a part for each token and stage, turns, ends; without a socket, and over one."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from fake_channel import FakeChannel
from isotorch_worker.protocol.schema import check_message
from isotorch_worker.protocol.wire import Descriptor, Message
from isotorch_worker.serve import Worker
from isotorch_worker.task import Registry
from isotorch_worker.tasks.text_generation import gpt2, text
from isotorch_worker.tasks.text_generation.generation import Stream, Wanted
from isotorch_worker.tasks.text_generation.inspection import stages
from isotorch_worker.tasks.text_generation.reference import reference_for
from isotorch_worker.tasks.text_generation.sampling import Sampling
from isotorch_worker.tasks.text_generation.session import Session
from isotorch_worker.tasks.text_generation.text import TextGeneration, TextInspection
from small_gpt2 import CONFIG, drawn, files, network

GENERATE = {
    "maxTokens": 6,
    "temperature": 1.0,
    "topK": 0,
    "topP": 1.0,
    "minP": 0.0,
    "repetitionPenalty": 1.0,
    "seed": 7,
    "candidates": 0,
    "logits": False,
    "deadlineMs": None,
    "following": 0,
}
ALL = ["embeddings", "attention", "hidden", "norm", "logits"]
SECONDS = 60


@pytest.fixture(scope="module")
def ours():
    torch.set_num_threads(2)
    return network()


@pytest.fixture
def channel():
    return FakeChannel()


@pytest.fixture
def worker(channel, ours):
    """With the network in it."""
    tasks = {"generate": TextGeneration(), "inspect": TextInspection()}
    loads = {"text-generation": lambda *_: (Session(ours), Message("ready", 1, 1))}
    channel.give("load", 1, task="text-generation")
    return Worker(channel, Registry(tasks, loads))


def longs(name, values):
    return Descriptor(name, "<i8", (len(values),)), np.array(values, "<i8").tobytes()


def floats(name, values):
    return Descriptor(name, "<f4", (len(values),)), np.array(values, "<f4").tobytes()


def give(channel, id_, prompt=(1, 2, 3), stop=(), bias=None, **changes):
    request = channel.give("generate", id_, **{**GENERATE, **changes})
    frames = request.message.frames
    frames["prompt"] = longs("prompt", prompt)
    if stop:
        frames["stopIds"] = longs("stopIds", stop)
    if bias:
        frames["biasIds"] = longs("biasIds", list(bias))
        frames["biases"] = floats("biases", list(bias.values()))
    return request


def give_inspect(channel, id_, prompt=(1, 2, 3), include=ALL):
    request = channel.give("inspect", id_, include=list(include))
    request.message.frames["prompt"] = longs("prompt", prompt)
    return request


def array(message, name):
    descriptor, payload = message.frames[name]
    return np.frombuffer(payload, descriptor.dtype).reshape(descriptor.shape)


def parts(channel, id_):
    return [message for message in channel.sent if message.id == id_ and message.type == "part"]


def tokens(channel, id_):
    return [int(array(message, "tokens")[0]) for message in parts(channel, id_)]


def alone(network, prompt=(1, 2, 3), stop=(), **how):
    """The text that nobody else had a part in."""
    sampling = Sampling(**{"seed": 7, **how})
    stream = Stream(network, Wanted(list(prompt), 6, sampling, stop))
    while stream.finish_reason is None:
        stream.step()
    return stream.tokens


def test_each_token_is_a_part_and_the_result_comes_behind_the_last(channel, worker, ours):
    give(channel, 2)
    channel.work(worker)
    assert channel.told() == [(1, "ready"), *((2, number) for number in range(6)), (2, "result")]
    assert tokens(channel, 2) == alone(ours)
    for message in channel.sent[1:]:
        check_message(message)
    assert list(parts(channel, 2)[0].frames) == ["tokens", "logprobs"]
    result = channel.sent[-1]
    assert result.frames == {}
    assert set(result.fields["timings"]) == {"queue", "prefill", "decode"}
    assert all(value > 0 for value in result.fields["timings"].values())


def test_candidates_and_logits_come_where_they_are_asked_for(channel, worker, ours):
    give(channel, 2, candidates=3, logits=True, temperature=0.5, topK=2)
    give(channel, 3, candidates=101, temperature=0)
    channel.work(worker)
    for part in parts(channel, 2):
        check_message(part)
        logits = torch.from_numpy(array(part, "logits").copy())
        assert logits.shape == (1, 101)
        # Of everything, at temperature 1, whatever was sampled from.
        logprobs = torch.log_softmax(logits, dim=-1)[0]
        token = int(array(part, "tokens")[0])
        assert float(array(part, "logprobs")[0]) == float(logprobs[token])
        best = torch.topk(logprobs, 3)
        assert array(part, "candidates").tolist() == best.indices.tolist()
        assert array(part, "candidateLogprobs").tolist() == best.values.tolist()
        assert token in array(part, "candidates")[:2]
    for part in parts(channel, 3):
        assert array(part, "candidates")[0] == array(part, "tokens")[0]
        assert sorted(array(part, "candidates")) == list(range(101))


def test_a_stop_token_is_the_last_and_a_bias_is_heard(channel, worker, ours):
    text = alone(ours)
    never = next(token for token in range(101) if token not in text)
    give(channel, 2, stop=[text[3], never])
    give(channel, 3, bias={42: 100.0})
    channel.work(worker)
    assert tokens(channel, 2) == text[: text.index(text[3]) + 1] != text
    assert tokens(channel, 3) == [42] * 6
    assert [what for id_, what in channel.told() if id_ == 2][-1] == "result"


def test_texts_take_turns_and_are_what_they_are_alone(channel, worker, ours):
    hows = [{"seed": seed, "temperature": 0.5 + seed / 4} for seed in range(4)]
    for number, how in enumerate(hows):
        give(channel, 2 + number, prompt=[number, 5] * (number + 1), **how)
    channel.work(worker)
    told = [one for one in channel.told() if one[1] != "ready"]
    all_there = [id_ for id_, _ in told[told.index((5, 0)) :]]
    assert [set(all_there[at : at + 4]) for at in range(8)] == [{2, 3, 4, 5}] * 8
    for number, how in enumerate(hows):
        assert tokens(channel, 2 + number) == alone(ours, [number, 5] * (number + 1), **how)


def test_a_text_again_from_its_seed_has_every_bit(channel, worker):
    for id_ in (2, 3):
        give(channel, id_, seed=1234567, candidates=2, logits=True)
    give(channel, 4, seed=1234568, candidates=2, logits=True)
    channel.work(worker)
    first, again, other = ([part.frames for part in parts(channel, id_)] for id_ in (2, 3, 4))
    assert first == again
    assert first != other


def test_cancelling_is_heard_between_two_tokens_and_costs_the_others_nothing(channel, worker, ours):
    give(channel, 2, maxTokens=40)
    give(channel, 3)

    def hears(message):
        if (message.id, message.fields.get("sequence")) == (2, 1):
            channel.requests[2].cancel()

    channel.hears = hears
    channel.work(worker)
    assert [what for id_, what in channel.told() if id_ == 2] == [0, 1, "ABORTED"]
    assert tokens(channel, 3) == alone(ours)


def test_a_long_prompt_keeps_no_other_text_waiting_and_can_be_cancelled(channel, worker, ours, monkeypatch):
    monkeypatch.setattr(text, "SLICE_SECONDS", 0)
    give(channel, 2)

    def hears(message):
        place = (message.id, message.fields.get("sequence"))
        if place == (2, 1):
            give(channel, 3, prompt=[1] * 40)
            give(channel, 4, prompt=[1] * 40)
        if place == (2, 4):
            channel.requests[4].cancel()

    channel.hears = hears
    channel.work(worker)
    told = channel.told()
    assert told.index((2, 3)) < told.index((3, 0))
    assert [what for id_, what in told if id_ == 4] == ["ABORTED"]
    assert channel.error(4) == "cancelled before its answer was complete"
    assert tokens(channel, 2) == alone(ours)
    assert tokens(channel, 3) == alone(ours, [1] * 40)


def test_what_does_not_fit_into_memory_is_told_as_such(channel, worker, ours, monkeypatch):
    def fails(self, hidden):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes.")

    monkeypatch.setattr(gpt2.Gpt2, "next_logits", fails)
    give(channel, 2)
    channel.work(worker)
    assert channel.told()[-1] == (2, "OUT_OF_MEMORY")


def test_what_cannot_be_is_refused_and_costs_the_others_nothing(channel, worker, ours):
    give(channel, 2, prompt=[101])
    give(channel, 3)
    give(channel, 4, maxTokens=46)
    give(channel, 5, topP=0)
    give(channel, 6, candidates=102)
    give(channel, 7, bias={101: 1.0})
    give(channel, 8, maxTokens=45)
    channel.work(worker)
    codes = {id_: what for id_, what in channel.told() if type(what) is str and what != "ready"}
    assert codes == {
        2: "INVALID_INPUT",
        3: "result",
        4: "CONTEXT_LENGTH",
        5: "INVALID_OPTION",
        6: "INVALID_OPTION",
        7: "INVALID_OPTION",
        8: "result",
    }
    assert channel.error(4) == "the prompt has 3 tokens and 46 more are wanted, and this network sees 48"
    assert tokens(channel, 3) == alone(ours)


# --- inspect ------------------------------------------------------------------------------------------------


def test_each_stage_is_a_part(channel, worker, ours):
    give_inspect(channel, 2, [4, 5, 6, 7])
    channel.work(worker)
    found = parts(channel, 2)
    for message in found:
        check_message(message)
    assert [list(part.frames) for part in found] == [
        ["tokenEmbeddings", "positionEmbeddings"],
        *[["attention", "hidden"]] * CONFIG.layers,
        ["norm", "logits"],
    ]
    for part, stage in zip(found, stages(ours, [4, 5, 6, 7], ALL)):
        assert {name: array(part, name).tobytes() for name in stage} == {
            name: value.contiguous().numpy().tobytes() for name, value in stage.items()
        }
    assert found[1].frames["attention"][0].shape == (2, 4, 4)
    state = drawn()
    assert array(found[0], "tokenEmbeddings").tolist() == state["wte.weight"][4:8].tolist()
    assert array(found[0], "positionEmbeddings").tolist() == state["wpe.weight"][:4].tolist()
    assert channel.sent[-1].type == "result"


@pytest.mark.parametrize(
    ("include", "expected"),
    [
        (["embeddings"], [["tokenEmbeddings", "positionEmbeddings"]]),
        (["attention"], [["attention"]] * 3),
        (["hidden"], [["hidden"]] * 3),
        (["norm"], [["norm"]]),
        (["logits"], [["logits"]]),
        (["logits", "attention"], [["attention"]] * 3 + [["logits"]]),
    ],
    ids=str,
)
def test_what_is_not_wanted_does_not_come(channel, worker, include, expected):
    give_inspect(channel, 2, include=include)
    channel.work(worker)
    assert [list(part.frames) for part in parts(channel, 2)] == expected
    assert channel.told()[-1] == (2, "result")


def test_an_inspection_and_a_text_take_turns(channel, worker, ours):
    give_inspect(channel, 2)
    give(channel, 3)
    channel.work(worker)
    told = channel.told()[1:]
    assert [id_ for id_, _ in told[:8]] == [2, 3] * 4
    assert tokens(channel, 3) == alone(ours)


def test_a_stage_that_no_message_holds_is_refused_first(channel, worker, monkeypatch):
    from isotorch_worker.tasks.text_generation import inspection

    monkeypatch.setattr(inspection, "MAX_FRAME_BYTES", 4 * 3 * 101)
    give_inspect(channel, 2, [1, 2, 3])
    give_inspect(channel, 3, [1, 2, 3, 4])
    give_inspect(channel, 4, [1, 2, 3, 4], include=["norm"])
    channel.work(worker)
    ends = {id_: what for id_, what in channel.told() if type(what) is str}
    assert ends == {1: "ready", 2: "result", 3: "INVALID_INPUT", 4: "result"}
    assert channel.error(3) == "the logits of 4 tokens take 1616 bytes, and a frame has 1212"


# --- a real worker ------------------------------------------------------------------------------------------


def load(worker, folder, **changes):
    fields = {"task": "text-generation", "model": None, "network": {"config": str(folder / "config.json")}}
    worker.load(folder / "model.safetensors", **{**fields, **changes})


def ask(worker, id_, **changes):
    prompt = longs("prompt", [1, 2, 3])
    worker.send("generate", id_, {**GENERATE, **changes}, prompt=(prompt[0].dtype, (3,), prompt[1]))


def test_from_load_to_stop(start, tmp_path, ours):
    files(tmp_path)
    worker = start()
    worker.hello()
    load(worker, tmp_path)
    message = worker.until("ready", "error")
    assert message.type == "ready", message
    reference = reference_for(torch.__version__)
    assert message.fields["network"] == {
        "vocabulary": 101,
        "context": 48,
        "layers": 3,
        "heads": 2,
        "width": 48,
        "headRows": reference.head,
        "reference": reference.text,
    }
    assert (message.fields["model"], message.fields["precision"]) == ("gpt2", "exact")
    assert json.loads(bytes(message.frames["remarks"][1])) == []
    ask(worker, 2)
    got = [worker.until("part", "result", "error", timeout=SECONDS) for _ in range(7)]
    assert [int(array(part, "tokens")[0]) for part in got[:6]] == alone(ours)
    assert got[6].type == "result"
    # Another text and a picture's task beside it.
    ask(worker, 3, maxTokens=45)
    worker.send("ping", 0)
    assert worker.until("pong", "error", timeout=SECONDS).type == "pong"
    worker.infer(4, "tensor", ("<f4", (1, 3, 2, 2), bytes(48)))
    error = worker.until("error", timeout=SECONDS)
    assert (error.id, error.fields["code"]) == (4, "PROTOCOL_ERROR")
    worker.send("stop", 0)
    assert worker.wait(SECONDS) == 0


def test_untrained_weights_are_made_where_there_are_none(start, tmp_path):
    files(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    worker = start()
    worker.hello()
    load(worker, tmp_path, seed=3)
    message = worker.until("ready", "error")
    assert message.type == "ready", message
    note = (tmp_path / "model.safetensors.sha256").read_text().split()[0]
    assert message.fields["sha256"] == note


@pytest.mark.parametrize(
    ("changes", "code", "exit_code"),
    [
        ({"precision": "bf16"}, "INVALID_OPTION", 78),
        ({"network": {"config": "/nowhere/config.json"}}, "WEIGHTS_NOT_FOUND", 66),
        ({"sha256": "0" * 64}, "CHECKPOINT_CORRUPT", 65),
        ({"device": "toaster"}, "INVALID_OPTION", 78),
    ],
    ids=str,
)
def test_a_load_that_fails_is_answered_and_ends_the_worker(start, tmp_path, changes, code, exit_code):
    files(tmp_path)
    worker = start()
    worker.hello()
    load(worker, tmp_path, **changes)
    message = worker.until("ready", "error")
    assert message.fields["code"] == code, message
    assert worker.wait(SECONDS) == exit_code


def test_a_checkpoint_that_does_not_fit_its_configuration_is_refused(start, tmp_path):
    files(tmp_path, {**drawn(), "wpe.weight": torch.zeros(64, 48)})
    worker = start()
    worker.hello()
    load(worker, tmp_path)
    message = worker.until("ready", "error")
    assert message.fields["code"] == "CHECKPOINT_MISMATCH"
    assert "wpe.weight is [64, 48], expected [48, 48]" in message.fields["message"]
    assert worker.wait(SECONDS) == 65
