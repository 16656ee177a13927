"""Export formats of another package. They import little, because child processes import them."""

import os
import signal
import time
import warnings
from collections import Counter


class Pids:
    """`NUMBER.txt` has the process that wrote a shard."""

    warns = True

    description = "the process that wrote each shard"

    def __init__(self, options):
        pass

    def shard(self, number, samples, folder):
        if self.warns:
            warnings.warn("a warning", stacklevel=1)
        folder.write(f"{number}.txt", str(os.getpid()).encode())
        return Counter(samples=len(list(samples)))

    def finish(self, shards, folder):
        pass


class Broken(Pids):
    def shard(self, number, samples, folder):
        if number == 1:
            raise KeyError("picture")
        return super().shard(number, samples, folder)


class Killed(Pids):
    def shard(self, number, samples, folder):
        if number == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().shard(number, samples, folder)


class FullDisk(Pids):
    """Shard 1 finds a full disk while others are in the midst of a file."""

    def shard(self, number, samples, folder):
        with folder.publish(f"{number}.txt") as file:
            file.write(b"half")
            file.flush()
            if number == 1:
                time.sleep(0.3)
                raise OSError(28, "No space left on device")
            time.sleep(0 if number == 0 else 3600)
        return Counter(samples=1)


class Slow(Pids):
    """Takes as long as it may: until `go` exists in the current folder."""

    warns = False

    def shard(self, number, samples, folder):
        for part in range(100_000):
            with folder.publish(f"{number}/{part}.txt") as file:
                file.write(b"half")
                file.flush()
                time.sleep(0.01)
            if os.path.exists("go"):
                break
        return super().shard(number, samples, folder)
