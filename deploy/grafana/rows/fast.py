"""How fast questions are answered and records applied."""

from deploy.grafana.panels import THIRD, Chart, Query, Row

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
            "looked: given before, and Redis said that it holds; read: made anew.",
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
