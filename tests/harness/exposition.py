"""What the appliance's parts say at /metrics, in the names that they promise: a stand-in to scrape.

Owns the promised names: TGI 3.3.7's from its source (router/src/server.rs, backends/v3), nginx's from its
gate, the card's from services/monitoring/gpu-counters.csv with dcgm-exporter's labels. Knows nothing of who
reads them. Needs the standard library only: `python3 exposition.py tgi 3000` runs inside a container. Its
counters and histograms grow with every scrape, so that rates are not zero.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Literal

BOUNDS = ("0.1", "1", "+Inf")


@dataclass(frozen=True)
class Family:
    """One metric: its name, its type, and the label set of each of its series."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...] = ("",)


def _each(label: str, *values: str) -> tuple[str, ...]:
    return tuple(f'{label}="{value}"' for value in values)


_METHODS = _each("method", "prefill", "decode")
_ROUTES = _each("route", "chat", "completions", "generate", "generate_stream", "tokenize")
_ACCOUNTS = _each("account", "-", "key:ci", "user:alice")
_CARD = (
    'gpu="0",UUID="GPU-68800a35-0000-0000-0000-000000000000",pci_bus_id="00000000:01:00.0",device="nvidia0",'
    'modelName="NVIDIA GeForce RTX 4090",hostname="appliance"',
)
_REASONS = _each("reason", "unauthorized", "rate", "concurrency", "budget")
_FAILURES = ("overloaded", "validation", "template", "generation", "incomplete", "dropped")

TGI = (
    Family("tgi_request_count", "counter"),
    Family("tgi_request_success", "counter"),
    Family("tgi_request_failure", "counter", _each("err", *_FAILURES)),
    Family("tgi_batch_inference_count", "counter", _METHODS),
    Family("tgi_batch_inference_success", "counter", _METHODS),
    Family("tgi_batch_inference_failure", "counter", _METHODS),
    Family("tgi_batch_concat", "counter", _each("reason", "chunking", "wait_exceeded", "backpressure")),
    Family("tgi_queue_size", "gauge"),
    Family("tgi_batch_current_size", "gauge"),
    Family("tgi_batch_current_max_tokens", "gauge"),
    Family("tgi_request_duration", "histogram"),
    Family("tgi_request_validation_duration", "histogram"),
    Family("tgi_request_queue_duration", "histogram"),
    Family("tgi_request_inference_duration", "histogram"),
    Family("tgi_request_mean_time_per_token_duration", "histogram"),
    Family("tgi_request_input_length", "histogram"),
    Family("tgi_request_max_new_tokens", "histogram"),
    Family("tgi_request_generated_tokens", "histogram"),
    Family("tgi_batch_next_size", "histogram"),
    Family("tgi_batch_inference_duration", "histogram", _METHODS),
    Family("tgi_batch_forward_duration", "histogram", _METHODS),
    Family("tgi_batch_decode_duration", "histogram", _METHODS),
    Family("tgi_batch_filter_duration", "histogram", _METHODS),
    Family("tgi_batch_concat_duration", "histogram", _METHODS),
)
NGINX = (
    Family("appliance_requests_total", "counter", ('route="chat",status="200"', 'route="chat",status="503"')),
    Family("appliance_account_requests_total", "counter", _ACCOUNTS),
    Family(
        "appliance_tokens_total",
        "counter",
        tuple(f'{account},kind="{kind}"' for account in _ACCOUNTS for kind in ("prompt", "generated")),
    ),
    Family(
        "appliance_refused_total",
        "counter",
        tuple(f'account="key:ci",{reason}' for reason in _REASONS),
    ),
    Family("appliance_running", "gauge", _ACCOUNTS),
    Family("appliance_first_byte_seconds", "histogram", _ROUTES),
    Family("appliance_request_seconds", "histogram", _ROUTES),
    Family("nginx_connections", "gauge", _each("state", "active", "reading", "writing", "waiting")),
)
CARD = (
    Family("DCGM_FI_DEV_GPU_UTIL", "gauge", _CARD),
    Family("DCGM_FI_DEV_MEM_COPY_UTIL", "gauge", _CARD),
    Family("DCGM_FI_DEV_FB_USED", "gauge", _CARD),
    Family("DCGM_FI_DEV_FB_FREE", "gauge", _CARD),
    Family("DCGM_FI_DEV_FB_RESERVED", "gauge", _CARD),
    Family("DCGM_FI_DEV_POWER_USAGE", "gauge", _CARD),
    Family("DCGM_FI_DEV_GPU_TEMP", "gauge", _CARD),
    Family("DCGM_FI_DEV_SM_CLOCK", "gauge", _CARD),
)
PARTS = {"tgi": TGI, "nginx": NGINX, "gpu-metrics": CARD}


def render(families: tuple[Family, ...], scrape: int) -> str:
    """The exposition text of the scrape with this number, from 1."""
    lines = []
    for family in families:
        lines.append(f"# TYPE {family.name} {family.kind}")
        for labels in family.labels:
            lines += _series(family, labels, scrape)
    return "\n".join(lines) + "\n"


def _series(family: Family, labels: str, scrape: int) -> list[str]:
    inside = f"{{{labels}}}" if labels else ""
    if family.kind != "histogram":
        return [f"{family.name}{inside} {scrape if family.kind == 'counter' else 42}"]
    start = f"{labels}," if labels else ""
    buckets = [
        f'{family.name}_bucket{{{start}le="{bound}"}} {scrape * share}'
        for share, bound in enumerate(BOUNDS, 1)
    ]
    return [*buckets, f"{family.name}_sum{inside} {scrape * 2}", f"{family.name}_count{inside} {scrape * 3}"]


def serve(part: str, port: int) -> None:
    """Answers every GET with the part's text; returns never."""
    scrapes = count(1)

    class Metrics(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = render(PARTS[part], next(scrapes)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    ThreadingHTTPServer(("", port), Metrics).serve_forever()


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
