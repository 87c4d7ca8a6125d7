"""Shared runs: one computation for all who ask the same, turns for costly ones, a bounded memory."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pytest

from core.errors import InputError
from core.ui.running.runs import COSTLY, Runs, size_of
from tests.waiting import PATIENCE, until


def test_thirty_who_ask_the_same_are_one_computation():
    runs, gate, calls = Runs(), threading.Event(), []

    def compute() -> float:
        calls.append(1)
        gate.wait(PATIENCE)
        return 42.0

    with ThreadPoolExecutor(30) as students:
        tickets = list(students.map(lambda _: runs.ask("question", compute), range(30)))
    gate.set()
    assert [ticket.result() for ticket in tickets] == [42.0] * 30
    assert len(calls) == 1


def test_different_questions_have_different_answers():
    runs = Runs()
    with ThreadPoolExecutor(8) as students:
        answers = list(students.map(lambda n: runs.ask(n % 4, lambda: n % 4).result(), range(80)))
    assert answers == [n % 4 for n in range(80)]


def test_an_error_reaches_all_who_wait_and_is_not_kept():
    runs, gate, calls = Runs(), threading.Event(), []

    def fail() -> None:
        calls.append(1)
        gate.wait(PATIENCE)
        raise InputError("a word", "nothing")

    tickets = [runs.ask("question", fail) for _ in range(3)]
    gate.set()
    for ticket in tickets:
        with pytest.raises(InputError):
            ticket.result()
    assert len(calls) == 1
    assert runs.ask("question", lambda: "better").result() == "better"


def test_costly_questions_go_one_by_one_and_know_their_place():
    runs, gate, at_once, most = Runs(), threading.Event(), [], []

    def compute() -> None:
        at_once.append(1)
        most.append(len(at_once))
        gate.wait(PATIENCE)
        at_once.pop()

    tickets = [runs.ask(n, compute, COSTLY + 1) for n in range(3)]
    assert until(lambda: at_once)  # the first has begun
    assert [ticket.before for ticket in tickets] == [0, 1, 2]
    assert runs.ask("quick", lambda: "at once").result() == "at once"
    gate.set()
    assert all(ticket.settled(PATIENCE) for ticket in tickets)
    assert max(most) == 1
    assert [ticket.before for ticket in tickets] == [0, 0, 0]


def test_memory_stays_within_its_budget_and_the_oldest_goes_first():
    runs, calls = Runs(budget=2500), []

    def ask(key: str) -> None:
        runs.ask(key, lambda: calls.append(key) or np.zeros(1000, dtype=np.uint8)).result()

    for key in ("a", "b", "a", "c", "a", "b"):
        ask(key)
    assert calls == ["a", "b", "c", "b"]
    assert runs.bytes <= 2500


def test_an_answer_larger_than_the_budget_is_still_given_once_for_all():
    runs, calls = Runs(budget=10), []
    for _ in range(3):
        assert len(runs.ask("big", lambda: calls.append(1) or np.zeros(1000)).result()) == 1000
    assert len(calls) == 1


def test_forgetting_drops_what_belonged_to_something_gone():
    runs = Runs()
    runs.ask(("gone", 1), lambda: np.zeros(10)).result()
    runs.ask(("here", 1), lambda: np.zeros(10)).result()
    runs.forget(lambda key: key[0] == "gone")
    assert runs.bytes == 80
    assert runs.ask(("gone", 1), lambda: "anew").result() == "anew"


def test_waiting_ends_when_the_time_is_over():
    runs, gate = Runs(), threading.Event()
    ticket = runs.ask("slow", lambda: gate.wait(PATIENCE))
    assert not ticket.settled(0.05)
    gate.set()
    assert ticket.settled(PATIENCE)


def test_size_counts_each_array_once_and_views_as_what_they_hold():
    @dataclass
    class Holder:
        first: np.ndarray
        second: np.ndarray
        more: dict

    array = np.zeros(100, dtype=np.float32)
    wide = np.broadcast_to(array, (50, 100))
    assert size_of(Holder(array, wide, {"bytes": b"12345", "again": (array, None, "text")})) == 405
