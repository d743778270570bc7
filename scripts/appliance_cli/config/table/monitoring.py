"""Prometheus and Grafana."""

from appliance_cli.config.kinds import Image, Matching, Whole
from appliance_cli.config.table.setting import Section, Setting

SECTION = Section(
    "Monitoring (off by default; services/monitoring/README.md)",
    (
        Setting(
            "COMPOSE_PROFILES",
            says="monitoring: Prometheus and Grafana, on this host's loopback only.",
            when="you want graphs",
            kind=Matching(r"\*|[\w.-]+(?:,[\w.-]+)*", "names of profiles, such as monitoring, with commas"),
        ),
        Setting(
            "GRAFANA_PORT",
            says="Grafana's port on this host's loopback.",
            when="the port is taken",
            kind=Whole(1, 65535),
            default="3001",
            services=("grafana-door",),
        ),
        Setting(
            "PROMETHEUS_IMAGE",
            says="The image that gathers the numbers.",
            when="its registry does not answer: name a mirror of the image",
            kind=Image(),
            default="prom/prometheus:v3.15.0",
            services=("prometheus",),
        ),
        Setting(
            "GRAFANA_IMAGE",
            says="The image that shows them.",
            when="its registry does not answer: name a mirror of the image",
            kind=Image(),
            default="grafana/grafana:13.2.3",
            services=("grafana",),
        ),
        Setting(
            "DCGM_IMAGE",
            says="The image that reads the card's counters.",
            when="its registry does not answer: name a mirror of the image",
            kind=Image(),
            default="nvcr.io/nvidia/k8s/dcgm-exporter:4.6.1-4.8.4-distroless",
            services=("gpu-metrics",),
        ),
    ),
)
