"""How near processes and Redis are to their limits."""

from deploy.grafana.panels import QUARTER, THIRD, THREE_QUARTERS, WIDE, Chart, Query, Row

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
