"""Custom detectors. The first has ten lines and finds every phrase near the middle of the picture."""

import json
import os
import random
import signal

from gritmill import Box, Found


def die(*_):
    """Kills its process, which only needs to import this file."""
    os.kill(os.getpid(), signal.SIGKILL)


class Middle:
    def detect(self, requests):
        boxes = [Box(0, 0.25, 0.25, 0.75, 0.75, 0.9), Box(1, 0.0, 0.0, 0.5, 0.25, 0.8)]
        return [[box for box in boxes if box.phrase < len(request.phrases)] for request in requests]


def factory(settings):
    return Middle()


class Everywhere:
    """Finds every phrase in the same place."""

    def detect(self, requests):
        return [[Box(i, 0.25, 0.25, 0.75, 0.75, 0.9) for i in range(len(one.phrases))] for one in requests]


def everywhere(settings):
    return Everywhere()


class Fragile(Middle):
    """Fails on pictures whose height is greater than the width."""

    def detect(self, requests):
        if any(request.height > request.width for request in requests):
            raise RuntimeError("too high")
        return super().detect(requests)


def fragile(settings):
    return Fragile()


class Passing(Fragile):
    """Fails like `Fragile` while `sick` is true."""

    sick = True

    def detect(self, requests):
        return super().detect(requests) if Passing.sick else Middle.detect(self, requests)


def passing(settings):
    return Passing()


class Deadly(Middle):
    """Kills its process at pictures whose height is greater than the width, like a fault in a decoder's C code."""

    def detect(self, requests):
        if any(request.height > request.width for request in requests):
            os.kill(os.getpid(), signal.SIGSEGV)
        return super().detect(requests)


def deadly(settings):
    return Deadly()


class LoggedDeadly(Deadly):
    """Like `Deadly`; writes the sizes of the pictures of each call, and the process that is its parent, to a file."""

    def detect(self, requests):
        with open(os.environ["CALLS"], "a") as file:
            sizes = [[request.width, request.height] for request in requests]
            file.write(json.dumps([os.getppid(), sizes]) + "\n")
        return super().detect(requests)


def logged_deadly(settings):
    return LoggedDeadly()


class AlwaysDeadly(Middle):
    """Kills its process at every request."""

    def detect(self, requests):
        os.kill(os.getpid(), signal.SIGKILL)


def always_deadly(settings):
    return AlwaysDeadly()


class Interrupted(Middle):
    """Raises KeyboardInterrupt at the first picture."""

    def detect(self, requests):
        raise KeyboardInterrupt


def interrupted(settings):
    return Interrupted()


class Dying(Middle):
    """Fails on every call after the first two, like a faulty device."""

    calls = 0

    def detect(self, requests):
        Dying.calls += 1
        if Dying.calls > 2:
            raise RuntimeError("device lost")
        return super().detect(requests)


def dying(settings):
    return Dying()


class Counting(Middle):
    """Counts the pairs in its requests."""

    asked = 0

    def detect(self, requests):
        Counting.asked += len(requests)
        return super().detect(requests)


def counting(settings):
    return Counting()


class Scattered:
    """Returns many overlapping boxes per phrase, some tiny, some of equal score. They depend only on the phrase."""

    def detect(self, requests):
        return [[box for i, phrase in enumerate(one.phrases) for box in self.boxes(i, phrase)] for one in requests]

    def boxes(self, number, phrase):
        chance = random.Random(phrase)
        middle = [chance.uniform(0.3, 0.7) for _ in range(2)]
        for _ in range(8):
            x, y = (min(0.9, max(0.1, chance.gauss(at, 0.05))) for at in middle)
            side = chance.choice((0.02, 0.08, 0.09, 0.1))
            score = round(chance.random(), chance.choice((1, 3)))
            yield Box(number, x - side, y - side, x + side, y + side, score)


def scattered(settings):
    return Scattered()


class Limited(Scattered):
    """Says that a limit removed a box of each picture."""

    def detect(self, requests):
        return [Found(tuple(boxes), cut=1) for boxes in super().detect(requests)]


def limited(settings):
    return Limited()
