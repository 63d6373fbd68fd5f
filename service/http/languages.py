"""Finds the language of an error message in what a caller sent: `X-Language`, or without it `Accept-Language`."""

import re
from collections.abc import Mapping

from service.http.errors import Language
from service.http.preferences import weights

X_LANGUAGE = "X-Language"
ACCEPT_LANGUAGE = "Accept-Language"
# Codes of ISO 639 for both languages; those of spoken Chinese are subtags of their own as well (RFC 5646, 4.1.2).
_LANGUAGES: dict[str, Language] = {
    **dict.fromkeys(("en", "eng"), "en-us"),
    **dict.fromkeys(("zh", "zho", "chi", "cmn", "yue"), "zh-cn"),
}
_DEFAULT: Language = "en-us"


def language_of(headers: Mapping[str, str]) -> Language:
    """Returns the language that a request's headers ask for; English where they ask for none that there is."""
    asked = headers.get(X_LANGUAGE, "").strip()
    if asked:
        return _language(asked) or _DEFAULT
    wanted = sorted(weights(headers.get(ACCEPT_LANGUAGE, "")).items(), key=lambda item: -item[1])
    known = (_language(tag) for tag, weight in wanted if weight > 0)
    return next(filter(None, known), _DEFAULT)


def _language(tag: str) -> Language | None:
    """Returns the language of a tag such as `zh-Hans-CN` or `en_GB`, None if it is another or no tag."""
    return _LANGUAGES.get(re.split("[-_]", tag.lower(), maxsplit=1)[0])
