"""Images measured in a child process, for one that kills what measures it."""

from transforms import images
from transforms.images import ImageFault
from transforms.isolation.child_process import Child, Died
from transforms.records import Reason


def measure(child: Child, data: bytes, max_pixels: int) -> tuple[int, int]:
    """As `images.measure`, in the child.

    Raises:
      ImageFault: also if the child dies.
    """
    try:
        size, reason, text = child.call(_measure, data, max_pixels)
    except Died as death:
        raise ImageFault(Reason.CRASH, f"the decoder's process was {death}") from death
    if reason:
        raise ImageFault(reason, text)
    width, height = size
    return width, height


def _measure(data: bytes, max_pixels: int) -> tuple[tuple[int, int], Reason | None, str]:
    try:
        return images.measure(data, max_pixels), None, ""
    except ImageFault as fault:
        return (0, 0), fault.reason, str(fault)
