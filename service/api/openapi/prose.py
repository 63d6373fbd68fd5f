"""Says in words what callers, and authors of SDKs, need to know of all of the API. The words are Markdown."""

from service.api.access import TOKEN
from service.api.rate_limit import BURST_SECONDS, RateLimit
from service.api.resources.statistics import AS_OF, GAPS, HORIZON
from service.http.errors import CATALOGUE, TOO_MANY, UNAUTHORIZED, UNAVAILABLE, ErrorKind
from service.http.responses import REQUEST_ID

_TEXT = """\
A platform runs gene jobs. This API answers how many jobs of a project and of its users are in which state, and how many
bytes they read. Only jobs that start in the interval of the question count.

## Who asks

- The header `{token}` carries a token. It is good for the resources of its own project alone.
- A tenant administrator sees all users of the project. Every other caller sees its own jobs.

## Intervals and numbers

- Instants are Unix time in **milliseconds**. Sizes are bytes.
- The interval is half-open, `[start, end)`: a job that starts at `start` counts, one that starts at `end` does not. So
  intervals that follow each other count each job once.
- A bound that is left out is open. Answers are exact to the millisecond.
- A job counts by its start time, in the state that it is in now.
- A query parameter that is not known, or is given twice, is an error.
- Answers of the statistics are JSON, or CSV where `Accept` names `text/csv`.
- All numbers are integers of up to 63 bits. A `double` cannot hold all of them: read them into 64-bit integers.

## How fresh an answer is

| header | meaning |
|---|---|
| `{as_of}` | Every event that was published before this instant is in the answer. |
| `{horizon}` | Jobs that started before this instant are no longer kept. |
| `{gaps}` | So many ranges of events were lost before they could be read. |

- `{as_of}` is moments ago when all is well. It stands still while events are not taken in.
- The last two are there only where they apply. With one of them the answer may count too few jobs.

## Errors

An error has a JSON body with `error_code` and `error_msg`. The code and the status are stable, and the message is for
people.

| status | code | meaning | send it again? |
|---|---|---|---|
{errors}

- `Retry-After` says how many seconds to wait.
- `X-Language` picks the language of the message, English or Chinese. Without it `Accept-Language` does.
- `{request_id}` is in every answer. Name it to whoever runs the service.
- Read errors by their code. A proxy on the way may answer with a body of its own.

## Asking again

- An answer has an `ETag`, which changes whenever the body does. With it in `If-None-Match` the answer is 304 without a
  body as long as nothing has changed. Its headers are new all the same, `{as_of}` too.
- Bodies of 16 KiB and more are compressed for those who accept gzip.
- A page of another origin may ask where the installation allows its origin.

## How often

{limit}
"""


def of_the_api(limit: RateLimit) -> str:
    """Returns the description of the API, with the numbers of this installation. `describe` calls it."""
    rows = "\n".join(
        f"| {kind.status} | `{kind.code}` | {kind.message.english} | {_advice(kind)} |"
        for kind in sorted(CATALOGUE, key=lambda kind: kind.status)
    )
    return _TEXT.format(
        token=TOKEN, as_of=AS_OF, horizon=HORIZON, gaps=GAPS, request_id=REQUEST_ID, errors=rows, limit=_limit(limit)
    )


def _advice(kind: ErrorKind) -> str:
    if kind in {TOO_MANY, UNAVAILABLE}:
        return "after `Retry-After`"
    if kind is UNAUTHORIZED:
        return "with a new token"
    return "no" if kind.status < 500 else "once"


def _limit(limit: RateLimit) -> str:
    if not limit.per_second:
        return "This installation does not limit how often a caller asks."
    return (
        f"Each caller, a user in a project, may ask {limit.per_second:,} times a second, and"
        f" {limit.per_second * BURST_SECONDS:,} times at once after a pause. More are refused with 429."
    )
