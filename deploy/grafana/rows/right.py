"""How old answers are, and what they lack."""

from deploy.grafana.panels import HALF, QUARTER, THIRD, Chart, Query, Row

_AS_OF_STEPS = ((None, "green"), (60, "yellow"), (300, "red"))
_NONE_IS_GOOD = ((None, "green"), (1, "red"))

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
                Query(
                    "time() - max by (partition) (stats_consumer_watermark_timestamp_seconds{$of} > 0)", "{{partition}}"
                ),
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
