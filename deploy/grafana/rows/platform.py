"""What the platform's jobs do."""

from deploy.grafana.panels import THIRD, Chart, Query, Row

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
