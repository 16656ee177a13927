"""Converts what Beam says about an exception on a worker, its traceback, into one line."""

import re

from pipeline.faults import CallError, EnvironmentFault, RunFault, first_line

_OURS = "pipeline.faults."
_RAISED = re.compile(
    r"(?:^(?:[\w.]+\.)?|\bpipeline\.faults\.)(\w*(?:Error|Exception|Fault|Device|Interrupt|Exit))(?:: (.*))?$", re.M
)
_INTERRUPT = re.compile(r"^KeyboardInterrupt", re.M)  # in one process, Beam wraps it like any failure of a step
_SELF_EXPLANATORY = ("EnvironmentFault", "PermissionFault", "BucketFault", "UnhealthyDevice", "PluginError")
_ERRNO = re.compile(r"\[Errno \d+\] (?P<why>[^:]+)(: '(?P<file>.*)')?")
_STEP = re.compile(r" \[while running '.*$")


def is_interrupt(error: Exception) -> bool:
    """Whether Ctrl-C was the cause."""
    return _INTERRUPT.search(str(error)) is not None


def explain(error: Exception) -> RunFault:
    """The fault that the user sees: the last exception in a worker's traceback that has a message."""
    if isinstance(error, RunFault):  # of a worker in this process
        return type(error)(_STEP.sub("", str(error)))
    raised = [match for match in _RAISED.finditer(str(error)) if match[2]]
    if not raised:
        return EnvironmentFault(_STEP.sub("", first_line(error)) or type(error).__name__)
    name, text = raised[-1].groups()
    if _OURS in text:  # an engine has put a worker's fault into an exception of its own
        name, _, text = text.rpartition(_OURS)[2].partition(": ")
    text = _STEP.sub("", text)
    if name == "CallError":
        return CallError(text)
    if denied := _ERRNO.fullmatch(text):  # the same text as for an OSError without Beam
        return EnvironmentFault(": ".join(filter(None, (denied["file"], denied["why"]))))
    self_explanatory = name in _SELF_EXPLANATORY or text.startswith("detector.model:")
    return EnvironmentFault(text if self_explanatory else f"{name}: {text}")
