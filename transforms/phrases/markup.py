"""Hides HTML from the parser. Alt-texts have tags and entities: "<b>A dog</b>", "Hollywood&#8217;s"."""

import re

_TAG = r"<!--.{0,1000}?-->|</?[a-zA-Z][^<>]{0,1000}>"
_ENTITY = r"&(?:[a-zA-Z]{2,8}|#\d{1,7}|#[xX][0-9a-fA-F]{1,6});"
_MARKUP = re.compile(f"{_TAG}|{_ENTITY}", re.DOTALL)


def hide_markup(caption: str) -> str:
    """The caption with a bar and blanks in place of each tag and entity, so that all offsets stay.

    A bar is a separator: no phrase has markup in it.
    """
    if "<" not in caption and "&" not in caption:
        return caption
    return _MARKUP.sub(lambda markup: " |".ljust(len(markup[0])), caption)
