# SPDX-License-Identifier: Apache-2.0
"""A scenario of the fault lab: what is done to a cluster, how it is mended, and the outcome that is required.

play(stage) breaks something, measures, mends it, and returns figures by name. The bounds say what each figure
may be at most (or must be at least); a figure that is bounded must be there."""
from dataclasses import dataclass, field
from typing import Callable

from bystander import QUIET_S


@dataclass(frozen=True)
class Setup:
    """The lab that a scenario needs; scenarios with equal ones share it."""
    hosts: int = 3
    words: tuple = ()


@dataclass(frozen=True)
class Scenario:
    number: str  # in the list of 55 faults that docs/results/faults.md follows
    name: str
    fault: str
    outcome: str
    play: Callable
    at_most: dict
    at_least: dict = field(default_factory=dict)
    setup: Setup = Setup()
    in_ci: bool = False
    loads_machine: bool = False  # that the machine is late is the fault, or comes of it

    def is_void(self, machine_late_ms):
        """A repeat beside which the machine itself was late says nothing of the cluster, good or bad."""
        return machine_late_ms > 1000 * QUIET_S and not self.loads_machine

    def violations(self, figures):
        """What was not as required; empty when all was."""
        found = []
        for bounds, holds, word in ((self.at_most, lambda seen, bound: seen <= bound, "at most"),
                                    (self.at_least, lambda seen, bound: seen >= bound, "at least")):
            for figure, bound in bounds.items():
                if figure not in figures:
                    found.append(f"{figure} was not measured")
                elif not holds(figures[figure], bound):
                    found.append(f"{figure} {figures[figure]:g}, {word} {bound:g}")
        return found


@dataclass(frozen=True)
class Covered:
    """A fault that other tests play already."""
    number: str
    fault: str
    test: str
