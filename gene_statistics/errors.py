"""The errors of the library. `GeneStatisticsError` is above all of them."""

from gene_statistics.texts import shown

_MOST_CHARACTERS = 1_000
_MOST_CODE_CHARACTERS = 32
_MOST_ID_CHARACTERS = 64


class GeneStatisticsError(Exception):
    """Something of the library did not work; every error of the library is one."""


class AlreadyOpenError(GeneStatisticsError):
    """A publisher or a client that is open was to be opened again."""


class ClientClosedError(GeneStatisticsError):
    """The client is not open, or was closed before the answer had come."""


class InvalidEventError(GeneStatisticsError, ValueError):
    """An event or a key is not valid, and nothing was sent.

    `reason` and `detail` are those that a consumer would give its dead letter. `field` is what the detail names first.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)  # as it was called, so that it can be pickled
        self.reason = reason
        self.detail = detail
        self.field = detail.partition(":")[0]

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"


class PublishError(GeneStatisticsError):
    """The brokers did not take an event, or cannot be reached; the text says what to do.

    An event may have been written all the same. To publish it again is harmless: it counts once.
    """


class PublishTimeoutError(PublishError, TimeoutError):
    """The deadline passed before the brokers had the event. The event may be written later."""


class PublisherClosedError(PublishError):
    """The publisher is not started, or is closed."""


class InvalidTokenError(GeneStatisticsError, ValueError):
    """The caller's token, or what the function for tokens returned, can be no token. It was not sent."""


class UnreachableError(GeneStatisticsError):
    """No whole answer of the API came before the deadline.

    To ask again later may help, unless `may_pass` is false: then the service's certificate is not trusted.
    """

    def __init__(self, text: str, may_pass: bool = True) -> None:
        super().__init__(text, may_pass)
        self.may_pass = may_pass

    def __str__(self) -> str:
        return str(self.args[0])


class InvalidAnswerError(GeneStatisticsError):
    """What came is no answer of the API: HTML, other JSON, or too many bytes. The text quotes nothing of it."""


class ApiError(GeneStatisticsError):
    """The API answered with an error.

    `error_code` and `error_msg` are the API's; `error_code` is None in an answer that is not the API's, but a proxy's.
    `request_id` finds the request in the service's log. `retry_after_seconds` is the wait that the answer asks for.
    The attributes have at most 1,000 characters, as they came; the error's text has fewer, and printable ones alone.
    """

    def __init__(
        self,
        status: int,
        error_code: str | None,
        error_msg: str,
        request_id: str | None,
        retry_after_seconds: float | None = None,
    ) -> None:
        self.status = status
        self.error_code = error_code and error_code[:_MOST_CHARACTERS]
        self.error_msg = error_msg[:_MOST_CHARACTERS]
        self.request_id = request_id and request_id[:_MOST_CHARACTERS]
        self.retry_after_seconds = retry_after_seconds
        super().__init__(status, self.error_code, self.error_msg, self.request_id, retry_after_seconds)

    def __str__(self) -> str:
        code = f" {shown(self.error_code, most=_MOST_CODE_CHARACTERS)}" if self.error_code else ""
        request = f" (request {shown(self.request_id, most=_MOST_ID_CHARACTERS)})" if self.request_id else ""
        return f"{self.status}{code}: {shown(self.error_msg)}{request}"


class UnauthorizedError(ApiError):
    """401: the token is missing, expired, revoked or not valid, and so was a new one, if there was one to ask for."""


class ForbiddenError(ApiError):
    """403: the token is good, but not for this project, or not for this user."""


class RateLimitedError(ApiError):
    """429: the caller's rate limit is used up, and the wait would outlast the deadline."""


class UnavailableError(ApiError):
    """502, 503 or 504: the service or a proxy says that it cannot answer now, until the deadline."""
