"""Steps with weights: Hypothesis leaves out rules at random, and may then do nothing but fail for a whole example."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine

STRIDE = 2_617  # a prime, so that every step has its turn
F = TypeVar("F", bound=Callable[..., None])


class NotNow(Exception):
    """Nothing is there that the step could be done to."""


@dataclass(frozen=True)
class Step:
    name: str
    weight: int
    arguments: dict[str, st.SearchStrategy[Any]]

    def __repr__(self) -> str:
        return self.name


class Steps(RuleBasedStateMachine):
    """Does steps that it draws by their weights."""

    turn = 0
    """Hypothesis draws small numbers more often than others: with the turn they mean other steps."""

    def do_one(self, steps: list[Step], data: Any) -> None:
        self.turn += 1
        weighted = [step for step in steps for _ in range(step.weight)]
        number = data.draw(st.integers(0, len(weighted) - 1))
        step = weighted[(number + self.turn * STRIDE) % len(weighted)]
        arguments = {
            name: data if strategy is DATA else data.draw(strategy)
            for name, strategy in step.arguments.items()
        }
        shown = ", ".join(f"{name}={value!r}" for name, value in arguments.items() if value is not data)
        note(f"{step.name}({shown})")
        try:
            getattr(self, step.name)(**arguments)
        except NotNow:
            note("    nothing to do")


DATA: st.SearchStrategy[Any] = st.nothing()
"""Stands for an argument by which a step draws as it goes."""


def step(weight: int = 2, **arguments: st.SearchStrategy[Any]) -> Callable[[F], F]:
    """Make a method a step, that many times as likely as one of weight 1."""

    def mark(method: F) -> F:
        method.step = Step(method.__name__, weight, arguments)  # type: ignore[attr-defined]
        return method

    return mark


def steps_of(kind: type) -> list[Step]:
    """The steps that a class defines itself, in their order."""
    return [method.step for method in vars(kind).values() if hasattr(method, "step")]


def need(there: object) -> None:
    if not there:
        raise NotNow
