"""The catalogue of errors that the API answers: HTTP status, code, and every message in both languages."""
# ruff: noqa: RUF001 - Chinese has punctuation of its own

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Language = Literal["en-us", "zh-cn"]


class ErrorBody(BaseModel):
    """What every error answers."""

    model_config = ConfigDict(frozen=True, json_schema_extra={"additionalProperties": False})

    error_code: str = Field(description="the code of the error", pattern=r"^DLI\.[0-9]{4}$")
    error_msg: str = Field(description="what is wrong, in the language that X-Language asks for")


@dataclass(frozen=True, slots=True)
class Message:
    """One text in both languages, with the same `{fields}`."""

    english: str
    chinese: str

    def text(self, language: Language, fields: Mapping[str, str]) -> str:
        """Returns the text in that language with its fields filled in."""
        return (self.chinese if language == "zh-cn" else self.english).format_map(fields)


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """A row of the catalogue; its message is used where an ApiError has none of its own."""

    status: int
    code: str
    message: Message


BAD_REQUEST = ErrorKind(400, "DLI.0001", Message("The request is not valid.", "请求无效。"))
UNAUTHORIZED = ErrorKind(
    401,
    "DLI.0013",
    Message(
        "The token is missing, expired, revoked or not valid.",
        "令牌缺失、已过期、已被吊销或无效。",
    ),
)
FORBIDDEN = ErrorKind(403, "DLI.0016", Message("The token is not for this project.", "该令牌无权访问此项目。"))
NOT_FOUND = ErrorKind(404, "DLI.0023", Message("No such resource.", "资源不存在。"))
BAD_METHOD = ErrorKind(405, "DLI.0007", Message("The method is not supported here.", "不支持该请求方法。"))
TOO_MANY = ErrorKind(
    429,
    "DLI.1028",
    Message("Too many requests; try again later.", "请求过于频繁，请稍后重试。"),
)
UNAVAILABLE = ErrorKind(
    503,
    "DLI.0012",
    Message("The service is not available now; try again later.", "服务暂不可用，请稍后重试。"),
)
INTERNAL = ErrorKind(500, "DLI.0999", Message("An internal error.", "内部错误。"))

CATALOGUE = (BAD_REQUEST, UNAUTHORIZED, FORBIDDEN, NOT_FOUND, BAD_METHOD, TOO_MANY, UNAVAILABLE, INTERNAL)

NOT_DECIMAL = Message(
    "The parameter {name} is not a decimal number from 0 to {maximum}.",
    "参数{name}必须是0到{maximum}之间的十进制整数。",
)
REPEATED = Message("The parameter {name} is given more than once.", "参数{name}重复。")
REVERSED = Message(
    "The parameter start is greater than the parameter end.",
    "参数start不能大于参数end。",
)
MISSING = Message("The parameter {name} is missing.", "缺少参数{name}。")
NOT_BEFORE = Message(
    "The parameter start is not less than the parameter end.",
    "参数start必须小于参数end。",
)
UNKNOWN_INTERVAL = Message(
    "The parameter interval is none of {intervals}.",
    "参数interval必须是以下之一：{intervals}。",
)
TOO_FINE = Message(
    "The parameter interval makes more than {most} points of this range; the finest that fits is {interval}.",
    "参数interval在此范围内产生的点数超过{most}；可用的最小间隔为{interval}。",
)
TOO_LONG = Message(
    "The range is too long: more than {most} points with every value of the parameter interval.",
    "时间范围过长：参数interval取任何值时点数均超过{most}。",
)
UNKNOWN_TIME_ZONE = Message(
    "The parameter time_zone is no name of the IANA time zone database, such as Asia/Shanghai.",
    "参数time_zone不是IANA时区数据库中的名称（例如Asia/Shanghai）。",
)
BAD_USER_NAME = Message(
    "The parameter user_name is not of 1 to {most} characters without control characters.",
    "参数user_name必须为1到{most}个字符，且不得包含控制字符。",
)
OTHER_USER = Message("The token is not for the statistics of other users.", "该令牌无权查看其他用户的统计信息。")
UNKNOWN_PARAMETER = Message("There is no parameter {name} here.", "没有参数{name}。")
UNREACHABLE = Message("Cannot be reached: {names}.", "无法访问：{names}。")
TOO_MANY_STREAMS = Message("There are too many live streams; try again later.", "实时数据流过多，请稍后重试。")
STOPPING_MESSAGE = Message("The process is stopping.", "进程正在停止。")
HEAD_TOO_LONG = Message(
    "The headers of the request are too long: at most 32 KiB together.",
    "请求头过长：总计不得超过32 KiB。",
)
TARGET_TOO_LONG = Message(
    "The path and query of the request are too long: at most 8,190 bytes together.",
    "请求的路径和查询参数过长：总计不得超过8190字节。",
)
HEADER_TOO_LONG = Message(
    "A header of the request is too long: at most 16 KiB each.",
    "某个请求头过长：每个不得超过16 KiB。",
)
TOO_MANY_HEADERS = Message("The request has too many headers: at most 128.", "请求头过多：不得超过128个。")
NOTHING_YET = Message(
    "Not there yet: {names}. No consumer has written to this Redis.",
    "尚不可用：{names}。还没有消费者向此Redis写入数据。",
)
MALFORMED = Message("The request is not valid HTTP.", "请求不是有效的HTTP报文。")


class ApiError(Exception):
    """An error of the catalogue that is to be answered, maybe with headers and a message of its own."""

    def __init__(
        self,
        kind: ErrorKind,
        message: Message | None = None,
        fields: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(kind.code)
        self.kind = kind
        self.headers = headers or {}
        self._message = message or kind.message
        self._fields = fields or {}

    def body(self, language: Language) -> ErrorBody:
        """Returns the body of the answer."""
        return ErrorBody(error_code=self.kind.code, error_msg=self._message.text(language, self._fields))
