"""Captions that mark some of their words, between two asterisks."""


def without_asterisks(caption: str) -> tuple[str, int, int]:
    """The caption without them, and the offsets of what they mark."""
    before, marked, after = caption.split("*")
    return before + marked + after, len(before), len(before) + len(marked)
