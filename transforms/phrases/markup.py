"""Hides HTML and rare signs from the parser. Alt-texts have tags and entities: "<b>A dog</b>", "Hollywood&#8217;s"."""

import html
import re

_ELEMENTS = (
    "a|abbr|address|article|b|big|blockquote|body|br|button|caption|center|cite|code|dd|del|div|dl|dt|em|figcaption|"
    "figure|font|footer|form|h[1-6]|head|header|hr|html|i|iframe|img|input|ins|label|li|link|main|mark|meta|nav|ol|"
    "option|p|pre|q|s|script|section|select|small|source|span|strike|strong|style|sub|sup|svg|table|tbody|td|th|thead|"
    "time|title|tr|tt|u|ul|video"
)
_TAG = re.compile(rf"<!--[^<>]{{0,1000}}-->|</?(?:{_ELEMENTS})(?:[\s/][^<>]{{0,1000}})?>", re.IGNORECASE)
_KNOWN_MARKS = str.maketrans("❝❞❮❯〝〞〟｢｣‛", "“”“”“””“”‘")
"""Of quotation marks that no parser has seen: it takes them for nouns and verbs."""

_ENTITY = re.compile(r"&(?:[a-zA-Z]{2,8}|#\d{1,7}|#[xX][0-9a-fA-F]{1,6});")


def hide_markup(caption: str) -> str:
    """The caption with a bar and blanks in place of each tag, and with the character of each entity after blanks, so
    that all offsets stay. Rare quotation marks are replaced by usual ones.

    A bar is a separator: no phrase has a tag in it. "<person>", as some data sets write names, is no tag.
    """
    if "<" in caption:
        caption = _TAG.sub(lambda tag: " |".ljust(len(tag[0])), caption)
    if not caption.isascii():
        caption = caption.translate(_KNOWN_MARKS)
    return _ENTITY.sub(_character, caption) if "&" in caption else caption


def _character(entity: re.Match[str]) -> str:
    """What an entity stands for, of the same length; blanks if it stands for none."""
    character = html.unescape(entity[0])
    is_known = len(character) == 1 and character.isprintable() and character not in "<>&"
    return (character if is_known or character == "&" else " ").rjust(len(entity[0]))
