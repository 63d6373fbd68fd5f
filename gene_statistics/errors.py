"""The errors of the library. `GeneStatisticsError` is above all of them."""


class GeneStatisticsError(Exception):
    """Something of the library did not work; every error of the library is one."""


class InvalidEventError(GeneStatisticsError, ValueError):
    """An event or a key is not valid, and nothing was sent.

    `reason` and `detail` are those that a consumer would give its dead letter. `field` is what the detail names first.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.field = detail.partition(":")[0]


class PublishError(GeneStatisticsError):
    """The brokers did not take an event, or cannot be reached; the text says what to do.

    An event may have been written all the same. To publish it again is harmless: it counts once.
    """


class PublishTimeoutError(PublishError, TimeoutError):
    """The deadline passed before the brokers had the event. The event may be written later."""


class PublisherClosedError(PublishError):
    """The publisher is not started, or is closed."""


class UnreachableError(GeneStatisticsError):
    """No whole answer of the API came before the deadline; the cause says why.

    To ask again later may help, unless `may_pass` is false: then the service's certificate is not trusted.
    """

    def __init__(self, text: str, may_pass: bool = True) -> None:
        super().__init__(text)
        self.may_pass = may_pass


class InvalidAnswerError(GeneStatisticsError):
    """What came is no answer of the API: HTML, other JSON, or too many bytes. The text quotes nothing of it."""


class ApiError(GeneStatisticsError):
    """The API answered with an error.

    `error_code` and `error_msg` are the API's; `error_code` is None in an answer that is not the API's, but a proxy's.
    `request_id` finds the request in the service's log. `retry_after_seconds` is the wait that the answer asks for.
    """

    def __init__(
        self,
        status: int,
        error_code: str | None,
        error_msg: str,
        request_id: str | None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(f"{status} {error_code or ''}: {error_msg} (request {request_id})")
        self.status = status
        self.error_code = error_code
        self.error_msg = error_msg
        self.request_id = request_id
        self.retry_after_seconds = retry_after_seconds


class UnauthorizedError(ApiError):
    """401: the token is missing, expired, revoked or not valid, and so was a new one, if there was one to ask for."""


class ForbiddenError(ApiError):
    """403: the token is good, but not for this project, or not for this user."""


class RateLimitedError(ApiError):
    """429: the caller's rate limit is used up, and the wait would outlast the deadline."""


class UnavailableError(ApiError):
    """502, 503 or 504: the service or a proxy says that it cannot answer now, until the deadline."""
