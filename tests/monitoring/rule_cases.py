"""What each alert of deploy/prometheus/rules.yml is shown with: series under which it is quiet, fires, and clears.

Values are a step apart, in promtool's words: `1+0x20` is 1 and twenty times more 1, `_x9` is nothing nine times.
"""

from collections.abc import Mapping
from dataclasses import dataclass

API = 'job="stats-api",instance="a"'
CONSUMER = 'job="stats-consumer",instance="c"'
_OF_API = {"job": "stats-api", "instance": "a"}
_OF_CONSUMER = {"job": "stats-consumer", "instance": "c"}
_START = f"process_start_time_seconds{{{CONSUMER}}}"
_ROUTE = "/v2.0/{project_id}/gene/statistics"


@dataclass(frozen=True, slots=True)
class Case:
    """An alert in time: at `quiet_at` it does not fire yet, at `fires_at` it does, at `clears_at` no longer."""

    alert: str
    what: str
    series: Mapping[str, str]
    quiet_at: str
    fires_at: str
    clears_at: str
    description: str
    labels: Mapping[str, str]
    step: str = "1m"


def _questions(status: str) -> str:
    return f'stats_http_requests_total{{{API},route="{_ROUTE}",method="GET",status="{status}"}}'


CASES = (
    Case(
        "StatsAnswersOld",
        "one of two API processes stands still, and comes back",
        {
            f"stats_as_of_timestamp_seconds{{{API}}}": "1+0x20 1260+60x10",
            'stats_as_of_timestamp_seconds{job="stats-api",instance="b"}': "0+60x31",
        },
        *("6m", "8m", "25m"),
        "Answers lack what was published in the last 7m 59s.",
        {},
    ),
    Case(
        "StatsNothingToAnswerFrom",
        "a Redis that no consumer has written, until one has",
        {f"stats_as_of_timestamp_seconds{{{API}}}": "0+0x10 660+60x10"},
        *("4m", "6m", "12m"),
        "a has an as-of of 0: no consumer has read every partition into its Redis.",
        _OF_API,
    ),
    Case(
        "StatsGap",
        "a gap that a consumer finds as it starts",
        {f"stats_consumer_gaps_total{{{CONSUMER}}}": "_x9 1+0x80", _START: "_x9 540+0x80"},
        *("8m", "12m", "75m"),
        "c found 1 ranges in an hour that the topic no longer has.",
        _OF_CONSUMER,
    ),
    Case(
        "StatsGap",
        "a gap that it finds later",
        {f"stats_consumer_gaps_total{{{CONSUMER}}}": "0+0x9 2+0x80"},
        *("9m", "12m", "75m"),
        "c found 2 ranges in an hour that the topic no longer has.",
        _OF_CONSUMER,
    ),
    Case(
        "StatsGap",
        "one that it finds as it starts once more, as the process before did",
        {f"stats_consumer_gaps_total{{{CONSUMER}}}": "1+0x190", _START: "-5000+0x99 6000+0x90"},
        *("99m", "102m", "170m"),
        "c found 1 ranges in an hour that the topic no longer has.",
        _OF_CONSUMER,
    ),
    Case(
        "StatsGap",
        "one of last week is none of this hour, also an hour after Prometheus was away; one of now is",
        {
            f"stats_consumer_gaps_total{{{CONSUMER}}}": "1+0x20 _x20 1+0x80 2+0x80",
            _START: "-600000+0x20 _x20 -600000+0x160",
        },
        *("90m", "125m", "190m"),
        "c found 1 ranges in an hour that the topic no longer has.",
        _OF_CONSUMER,
    ),
    Case(
        "StatsDrift",
        "drift that takes a rebuild, until it was rebuilt",
        {f"stats_consumer_drifted_keys{{{CONSUMER}}}": "0+0x4 3+0x5 0+0x5"},
        *("4m", "6m", "12m"),
        "The scrub of c found 3 keys that it cannot mend.",
        _OF_CONSUMER,
    ),
    Case(
        "StatsEventsRefused",
        "the first event that the store refuses",
        {f'stats_consumer_dead_letters_total{{{CONSUMER},reason="refused"}}': "_x4 7+0x80", _START: "_x4 240+0x80"},
        *("3m", "6m", "70m"),
        "c set aside 7 good events in an hour: numbers lack them.",
        {**_OF_CONSUMER, "reason": "refused"},
    ),
    Case(
        "StatsDeadLetters",
        "records that are no events, until the producer is mended",
        {f'stats_consumer_dead_letters_total{{{CONSUMER},reason="not_json"}}': "_x4 5+0x80", _START: "_x4 240+0x80"},
        *("3m", "6m", "70m"),
        "c set aside 5 records in an hour: not_json.",
        {**_OF_CONSUMER, "reason": "not_json"},
    ),
    Case(
        "StatsJobsUnknown",
        "a store of the former layout, until it is upgraded",
        {f"stats_jobs_timestamp_seconds{{{API}}}": "0+0x20 1260+60x10"},
        *("14m", "16m", "22m"),
        "a cannot say how many jobs there are (read at 0). Answers are not affected.",
        _OF_API,
    ),
    Case(
        "StatsScrubNotFinished",
        "a first pass that takes more than a day",
        {
            f"process_start_time_seconds{{{CONSUMER}}}": "0+0x60",
            f"stats_consumer_assigned_partitions{{{CONSUMER}}}": "4+0x60",
            f"stats_consumer_scrub_timestamp_seconds{{{CONSUMER}}}": "0+0x52 95400+0x10",
        },
        *("24h", "25h30m", "27h"),
        "c ended no whole pass for 1d 1h 30m 0s: drift would go unnoticed.",
        _OF_CONSUMER,
        step="30m",
    ),
    Case(
        "StatsScrubNotFinished",
        "a scrub that has stopped; another consumer has lost its partitions since, and one got some of late",
        {
            f"stats_consumer_assigned_partitions{{{CONSUMER}}}": "4+0x60",
            f"stats_consumer_scrub_timestamp_seconds{{{CONSUMER}}}": "60+0x52 95400+0x10",
            'stats_consumer_assigned_partitions{job="stats-consumer",instance="d"}': "0+0x60",
            'stats_consumer_scrub_timestamp_seconds{job="stats-consumer",instance="d"}': "60+0x60",
            'stats_consumer_assigned_partitions{job="stats-consumer",instance="idle until now"}': "0+0x48 4+0x12",
            'stats_consumer_scrub_timestamp_seconds{job="stats-consumer",instance="idle until now"}': "60+0x60",
        },
        *("24h", "25h30m", "27h"),
        "c ended no whole pass for 1d 1h 29m 0s: drift would go unnoticed.",
        _OF_CONSUMER,
        step="30m",
    ),
    Case(
        "StatsProcessDown",
        "a process that is away for some minutes",
        {f"up{{{API}}}": "1+0x4 0+0x5 1+0x5"},
        *("6m", "8m", "12m"),
        "stats-api at a does not answer (up is 0).",
        _OF_API,
    ),
    Case(
        "StatsNoApi",
        "the last process of the API is gone, and with it its target",
        {f"up{{{API}}}": "1+0x4 stale _x9 1+0x5", f"up{{{CONSUMER}}}": "1+0x20"},
        *("6m", "8m", "16m"),
        "Processes of the API are absent (absent is 1): callers get no answer.",
        {},
    ),
    Case(
        "StatsNoApi",
        "in one of two namespaces none answers",
        {
            f'up{{{API},namespace="one"}}': "1+0x4 0+0x9 1+0x5",
            f'up{{{API},namespace="two"}}': "1+0x20",
        },
        *("6m", "8m", "16m"),
        "Processes of the API are absent (absent is 1): callers get no answer.",
        {"namespace": "one"},
    ),
    Case(
        "StatsNoConsumer",
        "in one of two namespaces",
        {
            f'up{{{API},namespace="one"}}': "1+0x20",
            f'up{{{API},namespace="two"}}': "1+0x20",
            f'stats_consumer_assigned_partitions{{{CONSUMER},namespace="one"}}': "4+0x4 stale _x4 4+0x9",
            f'stats_consumer_assigned_partitions{{{CONSUMER},namespace="two"}}': "4+0x20",
        },
        *("6m", "8m", "12m"),
        "Consumers with partitions are absent (absent is 1): nothing is counted.",
        {"namespace": "one"},
    ),
    Case(
        "StatsNoConsumer",
        "a consumer without partitions, and no other",
        {f"stats_consumer_assigned_partitions{{{CONSUMER}}}": "0+0x9 4+0x5"},
        *("1m", "3m", "11m"),
        "Consumers with partitions are absent (absent is 1): nothing is counted.",
        {},
    ),
    Case(
        "StatsConsumerIdle",
        "one consumer more than partitions",
        {f"stats_consumer_assigned_partitions{{{CONSUMER}}}": "0+0x40 2+0x5"},
        *("29m", "31m", "42m"),
        "c has 0 partitions: it is one consumer too many, or cannot read.",
        _OF_CONSUMER,
    ),
    Case(
        "StatsPartitionUnreadable",
        "a damaged batch, until its records are deleted",
        {f'stats_consumer_unreadable_offset{{{CONSUMER},partition="3"}}': "_x4 8170+0x5 stale"},
        *("4m", "7m", "13m"),
        "Partition 3 cannot be read from offset 8170 on.",
        {**_OF_CONSUMER, "partition": "3"},
    ),
    Case(
        "StatsLagGrows",
        "more comes in than is counted, until another consumer helps",
        {f'stats_consumer_lag_records{{{CONSUMER},partition="0"}}': "0+5000x40 200000-20000x10"},
        *("20m", "35m", "46m"),
        "175k records are not applied, and they become more: what comes in is more than is counted.",
        {},
    ),
    Case(
        "StatsLagDoesNotEnd",
        "a lag that stays as it is",
        {f'stats_consumer_lag_seconds{{{CONSUMER},partition="0"}}': "200+0x50 0+0x10"},
        *("9m", "45m", "52m"),
        "For half an hour some partition was behind by 3m 20s or more.",
        {},
    ),
    Case(
        "StatsSeveralVersions",
        "a rolling upgrade that stopped half way, and went on",
        {
            f'stats_build_info{{{CONSUMER},version="0.1.0",layout="3",python="3.11.2"}}': "1+0x80 stale",
            f'stats_build_info{{{API},version="0.2.0",layout="3",python="3.11.2"}}': "1+0x90",
        },
        *("59m", "61m", "82m"),
        "2 versions of the processes or of the store's layout have run beside each other for an hour.",
        {},
    ),
    Case(
        "StatsResyncs",
        "a failover of Redis within seconds, and later an outage of twenty minutes",
        {f'stats_consumer_resyncs_total{{{CONSUMER},reason="StoreUnavailableError"}}': "0+0x5 9+0x30 9+1x20 29+0x20"},
        *("12m", "55m", "70m"),
        "c started 5 times from the store's offsets in 5 minutes: StoreUnavailableError.",
        {**_OF_CONSUMER, "reason": "StoreUnavailableError"},
    ),
    Case(
        "StatsFenced",
        "a consumer of another group with the same Redis",
        {f"stats_consumer_fence_refusals_total{{{CONSUMER}}}": "0+1x40 40+0x40"},
        *("15m", "35m", "60m"),
        "The fence refused 15 writes of c in 15 minutes.",
        _OF_CONSUMER,
    ),
    Case(
        "StatsKafkaStalls",
        "Kafka clients that are replaced again and again",
        {f"stats_consumer_stalls_total{{{CONSUMER}}}": "0+0x9 1+1x5 6+0x90"},
        *("9m", "20m", "90m"),
        "c replaced its Kafka clients 6 times in an hour.",
        _OF_CONSUMER,
    ),
    Case(
        "StatsRedisErrors",
        "a Redis that fails for a quarter of an hour",
        {f"stats_consumer_redis_errors_total{{{CONSUMER}}}": "0+0x5 1+1x14 15+0x20"},
        *("8m", "15m", "30m"),
        "5 calls of c to Redis failed in 5 minutes.",
        _OF_CONSUMER,
    ),
    Case(
        "StatsQuestionsFail",
        "Redis is away for ten minutes: every second question fails",
        {_questions("200"): "0+600x30 18000+300x10 21000+600x60", _questions("503"): "_x30 0+300x10 3000+0x60"},
        *("29m", "36m", "60m"),
        "8.451% of the questions of the last hour were answered with 5xx.",
        {},
    ),
    Case(
        "StatsQuestionsFail",
        "a question a minute: one fails in a failover, and later all for half an hour",
        {_questions("200"): "0+1x79 79+0x30 79+1x90", _questions("503"): "0+0x60 1+0x20 1+1x30 31+0x90"},
        *("63m", "95m", "130m"),
        "24.14% of the questions of the last hour were answered with 5xx.",
        {},
    ),
    Case(
        "StatsQuestionsSlow",
        "every second question takes more than a quarter of a second",
        {
            f'stats_http_request_duration_seconds_bucket{{{API},route="{_ROUTE}",le="0.25"}}': "0+60x30 1800+30x60 "
            "3600+60x60",
            f'stats_http_request_duration_seconds_count{{{API},route="{_ROUTE}"}}': "0+60x160",
        },
        *("29m", "60m", "110m"),
        "25.83% of the questions of the last hour took more than 0.25 s.",
        {},
    ),
    Case(
        "StatsStoreNeedsHelp",
        "a damaged project that is asked for, until it was mended",
        {f'stats_store_errors_total{{{API},reason="damaged"}}': "0+0x4 5+5x10 55+0x20"},
        *("4m", "12m", "25m"),
        "a could not answer 25 questions in 5 minutes: damaged.",
        {**_OF_API, "reason": "damaged"},
    ),
    Case(
        "StatsIdentityAway",
        "Keystone does not answer for a quarter of an hour",
        {
            f'stats_identity_requests_total{{{API},request="validate",result="good"}}': "0+60x10 600+0x15 600+60x40",
            f'stats_identity_requests_total{{{API},request="validate",result="away"}}': "0+0x10 6+6x15 96+0x40",
        },
        *("12m", "26m", "45m"),
        "100% of the requests to the identity service fail: validate.",
        {"request": "validate"},
    ),
    Case(
        "StatsFault",
        "one answer 500",
        {_questions("500"): "_x4 1+0x90"},
        *("3m", "6m", "70m"),
        f"a answered 500 1 times in an hour: {_ROUTE}.",
        {**_OF_API, "route": _ROUTE, "method": "GET", "status": "500"},
    ),
    Case(
        "StatsCallersLimited",
        "a caller that asks far more than it may",
        {
            _questions("200"): "0+60x100",
            f'stats_rate_limited_total{{{API},limit="caller"}}': "0+0x10 60+60x40 2460+0x50",
        },
        *("20m", "40m", "75m"),
        "1 requests a second are above the limit of one caller (429): more than one in twenty.",
        {"limit": "caller"},
    ),
    Case(
        "StatsRedisFillsUp",
        "one of two primaries fills up, and gets memory; each consumer tells of it",
        {
            f"stats_redis_fullest_memory_ratio{{{CONSUMER}}}": "0.8+0.01x14 0.5+0x10",
            'stats_redis_fullest_memory_ratio{job="stats-consumer",instance="d"}': "0.8+0.01x14 0.5+0x10",
        },
        *("9m", "12m", "16m"),
        "92% of maxmemory are used on the fullest primary. At 100% nothing is counted any more.",
        {},
    ),
    Case(
        "StatsConnectionsRefused",
        "an address with too many connections",
        {
            f'stats_http_connections_refused_total{{{API},limit="address"}}': "_x4 9+0x60",
            f"process_start_time_seconds{{{API}}}": "_x4 240+0x60",
        },
        *("3m", "6m", "30m"),
        "a refused 9 connections in 15 minutes, by its limit address.",
        {**_OF_API, "limit": "address"},
    ),
)
