"""Images measured in a child process: an image may kill the process that measures it."""

from transforms import images
from transforms.images import ImageFault
from transforms.isolation.child_process import ChildDied, ChildProcess
from transforms.records import Reason


def measure_isolated(child: ChildProcess, data: bytes, max_pixels: int) -> tuple[int, int]:
    """As `images.measure`, in the child.

    Raises:
      ImageFault: also if the child dies.
    """
    try:
        size, reason, text = child.call(_child_measure, data, max_pixels)
    except ChildDied as error:
        raise ImageFault(Reason.CRASH, f"the decoder's process was {error}") from error
    if reason:
        raise ImageFault(reason, text)
    width, height = size
    return width, height


def _child_measure(data: bytes, max_pixels: int) -> tuple[tuple[int, int], Reason | None, str]:
    try:
        return images.measure(data, max_pixels), None, ""
    except ImageFault as fault:
        return (0, 0), fault.reason, str(fault)
