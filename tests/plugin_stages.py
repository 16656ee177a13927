"""Custom stages with their own tables. The first measures the brightness of each picture."""

import os
import signal

import pyarrow as pa
from PIL import ImageStat

from gritmill import Stage
from transforms.images import decode


class Meter:
    """Measures brightness, and counts the pairs that it was given."""

    asked = 0

    def process(self, pairs):
        Meter.asked += len(pairs)
        return [{"mean": self.mean(pair)} for pair in pairs]

    def mean(self, pair):
        return ImageStat.Stat(decode(pair.data).convert("L")).mean[0]

    def probe(self):
        pass


class Brightness(Stage):
    name = table = "brightness"
    model = Meter
    unit = 1

    def columns(self):
        return [pa.field("mean", pa.float32(), nullable=False)]

    def load(self):
        return self.model()

    def fingerprint_values(self):
        return {"unit": self.unit}


def brightness(configuration):
    return Brightness()


class Contrast(Stage):
    """Computed from the rows of another stage: twice the value of `Brightness`."""

    name = table = "contrast"
    parents = ("detections", "brightness")

    def columns(self):
        columns = [("boxes", pa.int32()), ("double", pa.float64())]
        return [pa.field(name, kind, nullable=False) for name, kind in columns]

    def load(self):
        return self

    def process(self, pairs):
        return [{"boxes": len(pair.boxes), "double": 2 * pair.rows["brightness"]["mean"]} for pair in pairs]

    def probe(self):
        pass


def contrast(configuration):
    return Contrast()


class OtherBrightness(Brightness):
    unit = 2


def other_brightness(configuration):
    return OtherBrightness()


class Sick(Meter):
    """Fails on pictures whose height is greater than the width while `sick` is true."""

    sick = True

    def mean(self, pair):
        if Sick.sick and pair.height > pair.width:
            raise RuntimeError("too high")
        return super().mean(pair)


class SickBrightness(Brightness):
    model = Sick


def sick(configuration):
    return SickBrightness()


class Deadly(Meter):
    """Kills its process at pictures whose height is greater than the width."""

    def mean(self, pair):
        if pair.height > pair.width:
            os.kill(os.getpid(), signal.SIGSEGV)
        return super().mean(pair)


class DeadlyBrightness(Brightness):
    model = Deadly


def deadly(configuration):
    return DeadlyBrightness()


def no_stage(configuration):
    return "nothing"


class Shards(Brightness):
    table = "shards"


def shards(configuration):
    return Shards()
