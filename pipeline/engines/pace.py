"""The pace of a run, from what it did itself in the last minutes. What earlier runs did is the start, not the pace."""

from collections import deque

WINDOW_SECONDS = 600.0


class Window:
    """The growth of a value over the last `seconds` before it last grew. Times are in seconds of a monotonic clock."""

    def __init__(self, seconds: float = WINDOW_SECONDS) -> None:
        self._seconds = seconds
        self._samples: deque[tuple[float, float]] = deque()

    def add(self, now: float, value: float) -> None:
        """Adds a value. The first one is the start. A value that has not grown changes nothing."""
        if self._samples and value <= self._samples[-1][1]:
            return
        self._samples.append((now, value))
        while len(self._samples) > 2 and self._samples[1][0] <= now - self._seconds:
            self._samples.popleft()

    def per_second(self, now: float) -> float | None:
        """The growth per second. None if the value has not grown, or not in the last `seconds`."""
        if len(self._samples) < 2 or now - self._samples[-1][0] > self._seconds:
            return None
        (start, first), (end, last) = self._samples[0], self._samples[-1]
        return (last - first) / (end - start) if end > start else None

    def seconds_until(self, now: float, target: float) -> float | None:
        """The seconds until the value is `target`. None without a pace, or if that moment has passed.

        Counts down while the value does not grow: values come in steps, and a step that is not yet due says nothing.
        """
        pace = self.per_second(now)
        if pace is None:
            return None
        since, last = self._samples[-1]
        left = (target - last) / pace - (now - since)
        return left if left > 0 else None


class Pace:
    """The pace of a run: of what it has done (pairs or shards) and of its share of all work."""

    def __init__(self) -> None:
        self._done, self._share = Window(), Window()

    def add(self, now: float, done: int, share: float) -> None:
        """Adds a state of the run. The first one is where it starts."""
        self._done.add(now, done)
        self._share.add(now, share)

    def rate(self, now: float) -> float | None:
        """Pairs or shards per second; None before there is a pace."""
        return self._done.per_second(now)

    def seconds_left(self, now: float) -> float | None:
        """The time left; None before there is a pace."""
        return self._share.seconds_until(now, 1.0)
