"""Prometheus series under TGI's own names, for what this engine can count.

Not here, because llama.cpp has no such steps: TGI's tgi_batch_* but the current size, and skipped tokens.
"""

import re

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

from cpu_engine.settings import Limits

FAILURES = ("overloaded", "validation", "template", "generation", "incomplete", "dropped")

_DURATION_BUCKETS = tuple(0.0001 * 1.5**power for power in range(1, 36))  # seconds, as TGI's router
_COUNTER_SUFFIX = re.compile(rb"^((?:# \w+ )?tgi_request_(?:count|success|failure))_total", re.MULTILINE)


class Metrics:
    """The engine's series in a registry of their own."""

    def __init__(self, limits: Limits) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self.requests = Counter("tgi_request_count", "Requests", registry=self._registry)
        self.successes = Counter("tgi_request_success", "Answers completed", registry=self._registry)
        self.failures = Counter("tgi_request_failure", "Requests failed", ["err"], registry=self._registry)
        self.queue_size = Gauge("tgi_queue_size", "Requests that wait for a slot", registry=self._registry)
        self.batch_size = Gauge(
            "tgi_batch_current_size", "Requests in llama.cpp's slots", registry=self._registry
        )
        self.duration = self._seconds("tgi_request_duration", "Whole request")
        self.validation_duration = self._seconds("tgi_request_validation_duration", "Before the queue")
        self.queue_duration = self._seconds("tgi_request_queue_duration", "In the queue")
        self.inference_duration = self._seconds("tgi_request_inference_duration", "In a slot")
        self.time_per_token = self._seconds("tgi_request_mean_time_per_token_duration", "Inference by token")
        self.input_length = self._tokens("tgi_request_input_length", limits.max_input_tokens, "Input")
        self.max_new_tokens = self._tokens(
            "tgi_request_max_new_tokens", limits.max_total_tokens, "Tokens asked for"
        )
        self.generated_tokens = self._tokens(
            "tgi_request_generated_tokens", limits.max_total_tokens, "Answer"
        )
        for kind in FAILURES:
            self.failures.labels(kind)

    def render(self) -> bytes:
        """The exposition text.

        prometheus_client writes every counter with the suffix `_total`, which TGI's names do not have.
        """
        return _COUNTER_SUFFIX.sub(rb"\1", generate_latest(self._registry))

    def _seconds(self, name: str, text: str) -> Histogram:
        return Histogram(name, f"{text}, in seconds", buckets=_DURATION_BUCKETS, registry=self._registry)

    def _tokens(self, name: str, longest: int, text: str) -> Histogram:
        buckets = tuple(longest / 100 * step for step in range(1, 101))
        return Histogram(name, f"{text}, in tokens", buckets=buckets, registry=self._registry)
