"""What the dashboard shows, row by row. `dashboard` makes Grafana's panels of it.

In queries `$of` stands for the selectors of the dashboard's variables, and `$questions` for the routes that answer
questions about a project.
"""

from collections.abc import Sequence
from dataclasses import dataclass

WIDE, THREE_QUARTERS, HALF, THIRD, QUARTER = 24, 18, 12, 8, 6
_AS_OF_STEPS = ((None, "green"), (60, "yellow"), (300, "red"))
_NONE_IS_GOOD = ((None, "green"), (1, "red"))


@dataclass(frozen=True, slots=True)
class Query:
    """A query of PromQL, and Grafana's format of its series' names."""

    expression: str
    legend: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart over time, or with `steps` one number with colors from each step's value on.

    `unit` is Grafana's id of a unit. `empty_when` says when the queries rightly have no data.
    """

    title: str
    description: str
    unit: str
    width: int
    queries: Sequence[Query]
    steps: Sequence[tuple[float | None, str]] = ()
    empty_when: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of charts with a question for its title."""

    title: str
    charts: Sequence[Chart]


RIGHT = Row(
    "Is it right?",
    (
        Chart(
            "Age of answers",
            "Every event published before this age is in every answer. Above 5 minutes StatsAnswersOld fires.",
            "s",
            QUARTER,
            [Query("time() - min(stats_as_of_timestamp_seconds{$of} > 0)", "age")],
            _AS_OF_STEPS,
        ),
        Chart(
            "Drift that takes a rebuild",
            "Keys that the last pass of the scrub could not mend. Anything but 0 is a wrong number.",
            "short",
            QUARTER,
            [Query("sum(stats_consumer_drifted_keys{$of})", "keys")],
            _NONE_IS_GOOD,
            empty_when="no pass of the scrub has ended yet",
        ),
        Chart(
            "Lost offsets (gaps)",
            "Offsets that the topic deleted before they were read, by the store's ledger. Rows of the ledger stay.",
            "short",
            QUARTER,
            [Query("sum(max by (partition) (stats_consumer_gap_records{$of}))", "offsets")],
            _NONE_IS_GOOD,
        ),
        Chart(
            "Dead letters",
            "Records set aside within the dashboard's range, as they are no events or the store refused them.",
            "short",
            QUARTER,
            [Query("sum(increase(stats_consumer_dead_letters_total{$of}[$__range]))", "records")],
            _NONE_IS_GOOD,
        ),
        Chart(
            "Age of answers, by partition",
            "How old the newest instant is before which all of a partition is applied. The oldest decides.",
            "s",
            HALF,
            [
                Query("time() - max by (partition) (stats_consumer_watermark_timestamp_seconds{$of})", "{{partition}}"),
                Query("time() - min(stats_as_of_timestamp_seconds{$of} > 0)", "answers"),
            ],
        ),
        Chart(
            "Dead letters, by reason",
            "Records set aside a second. `refused` are good events that the store could not take.",
            "cps",
            HALF,
            [Query("sum by (reason) (rate(stats_consumer_dead_letters_total{$of}[$__rate_interval]))", "{{reason}}")],
        ),
        Chart(
            "Mended, and writes that ended in part",
            "Keys mended and marks met, by who met them. Both grow after a Redis was killed, else hardly ever.",
            "short",
            THIRD,
            [
                Query(
                    "sum by (by) (increase(stats_consumer_mended_keys_total{$of}[$__rate_interval]))", "keys, {{by}}"
                ),
                Query(
                    "sum by (by) (increase(stats_consumer_unfinished_writes_total{$of}[$__rate_interval]))",
                    "marks, {{by}}",
                ),
            ],
        ),
        Chart(
            "The scrub",
            "How long ago the last whole pass ended, and how long it took. A day without one is StatsScrubNotFinished.",
            "s",
            THIRD,
            [
                Query("time() - (stats_consumer_scrub_timestamp_seconds{$of} > 0)", "{{instance}}, ended ago"),
                Query("stats_consumer_scrub_pass_seconds{$of}", "{{instance}}, took"),
            ],
            empty_when="no pass of the scrub has ended yet",
        ),
        Chart(
            "Starts from the store's offsets",
            "By reason, and writes refused by the fence. One after a rebalance is normal.",
            "short",
            THIRD,
            [
                Query("sum by (reason) (increase(stats_consumer_resyncs_total{$of}[$__rate_interval]))", "{{reason}}"),
                Query("sum(increase(stats_consumer_fence_refusals_total{$of}[$__rate_interval]))", "fenced"),
            ],
        ),
    ),
)

FAST = Row(
    "Is it fast?",
    (
        Chart(
            "Questions, by status",
            "Answers a second of statistics and their series.",
            "reqps",
            THIRD,
            [
                Query(
                    "sum by (status) (rate(stats_http_requests_total{$of,$questions}[$__rate_interval]))", "{{status}}"
                )
            ],
        ),
        Chart(
            "Time to an answer",
            "Quantiles over all processes, from a question's headers on. The objective is 99 % within 0.25 s.",
            "s",
            THIRD,
            [
                Query(
                    f"histogram_quantile({quantile}, sum by (le) (rate("
                    "stats_http_request_duration_seconds_bucket{$of,$questions}[$__rate_interval])))",
                    f"p{quantile * 100:g}",
                )
                for quantile in (0.5, 0.9, 0.99)
            ],
        ),
        Chart(
            "Questions, by how they were answered",
            "remembered: not even Redis was asked; looked: it said that the answer holds; read: made anew.",
            "reqps",
            THIRD,
            [Query("sum by (class) (rate(stats_query_duration_seconds_count{$of}[$__rate_interval]))", "{{class}}")],
        ),
        Chart(
            "Time in the store, by class",
            "The 99th percentile over all processes, without the token's check, the wait for a turn, and the sending.",
            "s",
            THIRD,
            [
                Query(
                    "histogram_quantile(0.99, sum by (class, le) (rate("
                    "stats_query_duration_seconds_bucket{$of}[$__rate_interval])))",
                    "{{class}}",
                )
            ],
        ),
        Chart(
            "What the store did not answer",
            "Questions a second that got 503, by reason. Only away, unfinished and changed end by themselves.",
            "cps",
            THIRD,
            [Query("sum by (reason) (rate(stats_store_errors_total{$of}[$__rate_interval]))", "{{reason}}")],
        ),
        Chart(
            "Records applied",
            "A second, by process.",
            "cps",
            THIRD,
            [Query("rate(stats_consumer_records_total{$of}[$__rate_interval])", "{{instance}}")],
        ),
        Chart(
            "Lag",
            "Records that are not applied yet, by partition.",
            "short",
            THIRD,
            [Query("max by (partition) (stats_consumer_lag_records{$of})", "{{partition}}")],
        ),
        Chart(
            "Lag in time",
            "Age of the oldest record that may not be applied, by partition.",
            "s",
            THIRD,
            [Query("max by (partition) (stats_consumer_lag_seconds{$of})", "{{partition}}")],
        ),
        Chart(
            "Where the time goes",
            "Seconds a second by phase, over all consumers. Mostly poll: time is left. Mostly wait: Redis is slow.",
            "percentunit",
            THIRD,
            [Query("sum by (phase) (rate(stats_consumer_phase_seconds_total{$of}[$__rate_interval]))", "{{phase}}")],
        ),
        Chart(
            "Time of scripts",
            "99th percentile of calls sent together until the last reply, and mean of one call, over all consumers.",
            "s",
            THIRD,
            [
                Query(
                    "histogram_quantile(0.99, sum by (script, le) (rate("
                    "stats_consumer_script_seconds_bucket{$of}[$__rate_interval])))",
                    "{{script}}, p99",
                ),
                Query(
                    "sum by (script) (rate(stats_consumer_script_seconds_sum{$of}[$__rate_interval]))"
                    " / sum by (script) (rate(stats_consumer_script_calls_total{$of}[$__rate_interval]))",
                    "{{script}}, one call",
                ),
            ],
        ),
        Chart(
            "Time of a batch in the store",
            "Quantiles over all consumers, from the first script sent to the last reply.",
            "s",
            THIRD,
            [
                Query(
                    f"histogram_quantile({quantile}, sum by (le) (rate("
                    "stats_consumer_apply_seconds_bucket{$of}[$__rate_interval])))",
                    f"p{quantile * 100:g}",
                )
                for quantile in (0.5, 0.99)
            ],
        ),
        Chart(
            "Records in a batch",
            "Mean over all consumers. Near 20,000 they cannot keep up.",
            "short",
            THIRD,
            [
                Query(
                    "sum(rate(stats_consumer_batch_records_sum{$of}[$__rate_interval]))"
                    " / sum(rate(stats_consumer_batch_records_count{$of}[$__rate_interval]))",
                    "records",
                )
            ],
        ),
        Chart(
            "Processor",
            "Cores in use, by process. One core is what a process can use.",
            "percentunit",
            THIRD,
            [Query("rate(process_cpu_seconds_total{$of}[$__rate_interval])", "{{job}} {{instance}}")],
        ),
        Chart(
            "Identity service",
            "Requests a second to Keystone or for a JWKS, by result; and tokens that were remembered.",
            "reqps",
            THIRD,
            [
                Query(
                    "sum by (request, result) (rate(stats_identity_requests_total{$of}[$__rate_interval]))",
                    "{{request}}, {{result}}",
                ),
                Query("sum(rate(stats_identity_cached_total{$of}[$__rate_interval]))", "remembered"),
            ],
            empty_when="tokens are checked with a secret: nobody is asked",
        ),
        Chart(
            "Time of the identity service",
            "The 99th percentile until a request was answered or given up. Callers with new tokens wait so long.",
            "s",
            THIRD,
            [
                Query(
                    "histogram_quantile(0.99, sum by (request, le) (rate("
                    "stats_identity_request_duration_seconds_bucket{$of}[$__rate_interval])))",
                    "{{request}}",
                )
            ],
            empty_when="tokens are checked with a secret: nobody is asked",
        ),
    ),
)

FULL = Row(
    "Is it full?",
    (
        Chart(
            "Fullest primary of Redis",
            "Memory in use over maxmemory. At 100 % nothing is counted any more.",
            "percentunit",
            QUARTER,
            [Query("max(stats_redis_fullest_memory_ratio{$of})", "used")],
            ((None, "green"), (0.7, "yellow"), (0.85, "red")),
            empty_when="Redis has no maxmemory, or its user may not run INFO",
        ),
        Chart(
            "Memory of Redis",
            "Used memory and maxmemory of all primaries together.",
            "bytes",
            THREE_QUARTERS,
            [
                Query("max(stats_redis_used_memory_bytes{$of})", "used"),
                Query("max(stats_redis_max_memory_bytes{$of})", "maxmemory"),
            ],
            empty_when="Redis has no maxmemory, or its user may not run INFO",
        ),
        Chart(
            "Memory of Redis, by kind of key",
            "Estimated by the scrub in its last pass, over all consumers. Nodes grow with jobs and users.",
            "bytes",
            THIRD,
            [Query("sum by (kind) (stats_redis_memory_bytes{$of})", "{{kind}}")],
            empty_when="no pass of the scrub has ended yet",
        ),
        Chart(
            "Memory of the processes",
            "Resident memory, by process.",
            "bytes",
            THIRD,
            [Query("process_resident_memory_bytes{$of}", "{{job}} {{instance}}")],
        ),
        Chart(
            "Connections",
            "Open connections to both kinds of processes. Each takes 10,000, or what its open files allow.",
            "short",
            THIRD,
            [Query("stats_http_connections{$of}", "{{job}} {{instance}}")],
        ),
        Chart(
            "Refused connections and callers",
            "Connections cut off by limit, and answers 429, a second.",
            "cps",
            THIRD,
            [
                Query(
                    "sum by (limit) (rate(stats_http_connections_refused_total{$of}[$__rate_interval]))",
                    "connections, {{limit}}",
                ),
                Query("sum by (limit) (rate(stats_rate_limited_total{$of}[$__rate_interval]))", "429, {{limit}}"),
            ],
            empty_when="no limit has ever been met",
        ),
        Chart(
            "Partitions of each consumer",
            "0 for long is one consumer more than partitions.",
            "short",
            THIRD,
            [Query("stats_consumer_assigned_partitions{$of}", "{{instance}}")],
        ),
        Chart(
            "Open files",
            "Share of the files that a process may open.",
            "percentunit",
            THIRD,
            [Query("process_open_fds{$of} / process_max_fds{$of}", "{{job}} {{instance}}")],
        ),
        Chart(
            "What runs",
            "Processes by version, and by the layout of the store that they read and write.",
            "short",
            WIDE,
            [
                Query(
                    "count by (job, version, layout) (stats_build_info{$of})", "{{job}} {{version}}, layout {{layout}}"
                )
            ],
        ),
    ),
)

PLATFORM = Row(
    "What do the jobs do?",
    (
        Chart(
            "Jobs, by state",
            "Jobs of all projects that count now, exact.",
            "short",
            THIRD,
            [Query("max by (status) (stats_jobs{$of})", "{{status}}")],
        ),
        Chart(
            "Transitions, by state",
            "Jobs that came into a state, a second. Duplicates and replays are none.",
            "cps",
            THIRD,
            [Query("sum by (status) (rate(stats_consumer_transitions_total{$of}[$__rate_interval]))", "{{status}}")],
        ),
        Chart(
            "Input",
            "Bytes of input of all jobs that count now.",
            "bytes",
            THIRD,
            [Query("max(stats_jobs_input_bytes{$of})", "input")],
        ),
    ),
)

ROWS = (RIGHT, FAST, FULL, PLATFORM)
