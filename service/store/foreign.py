"""Values of a type that the store does not keep under a key."""

from redis.exceptions import ResponseError


def is_foreign(error: BaseException) -> bool:
    """Whether Redis says that a value is of another type than the command is for."""
    return isinstance(error, ResponseError) and str(error).startswith("WRONGTYPE")
