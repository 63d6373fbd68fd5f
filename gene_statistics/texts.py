"""Makes text of strangers fit to be shown: of one line, short, without escapes, and without the caller's secrets."""

_MOST_CHARACTERS = 200
_LEAST_SECRET_CHARACTERS = 6  # a shorter one is of a trial, and would be found in every other word


def shown(text: str, secret: str = "", most: int = _MOST_CHARACTERS) -> str:
    """Returns a text of others for an error's text: printable characters alone, so many of them, and no secret."""
    text = without(secret, text)
    short = "".join(each if each.isprintable() else " " for each in text[:most])
    return short if len(text) <= most else f"{short[:-3]}..."


def without(secret: str, text: str) -> str:
    """Returns a text of others without a secret that they may have repeated."""
    return text if len(secret) < _LEAST_SECRET_CHARACTERS else text.replace(secret, "***")


def kind_of(error: BaseException) -> str:
    """Returns the name of an error's type, and what the system says of it.

    Its own text stays out: other libraries write requests with their headers into it.
    """
    name = type(error).__name__
    return f"{name}, {shown(error.strerror)}" if isinstance(error, OSError) and error.strerror else name
