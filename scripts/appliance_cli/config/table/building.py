"""Building and downloading where the internet is not the usual one."""

from appliance_cli.config.kinds import Image, Text, Url, Whole
from appliance_cli.config.table.setting import Section, Setting

SECTION = Section(
    "Building where the internet is not the usual one",
    (
        Setting(
            "CA_BUNDLE",
            says="PEM file with the CA of a TLS-inspecting proxy.",
            when="a proxy inspects TLS",
            kind=Text("a file"),
            default="/dev/null",
            services=("model-init", "tgi", "ui", "openai-api"),
        ),
        Setting(
            "PIP_INDEX_URL",
            says="A mirror of the Python package index.",
            when="the index does not answer",
            kind=Url(),
            services=("model-init", "tgi", "ui", "openai-api"),
        ),
        Setting(
            "HTTPS_PROXY",
            says="A proxy for the model's download: http://, socks5:// or socks5h://. One on this machine is "
            "host.docker.internal to the container, not 127.0.0.1.",
            when="the internet is behind one",
            kind=Text(private=True),
            services=("model-init",),
        ),
        Setting(
            "NO_PROXY",
            says="What the proxy is not used for.",
            when="a hub stands in your own network",
            services=("model-init",),
        ),
        Setting(
            "DEBIAN_MIRROR",
            says="The Debian mirror that base images are made from.",
            when="the host's own does not have the release",
            kind=Url(),
            empty="the one that this host's apt uses",
        ),
        Setting(
            "TOOLKIT_REPOSITORY",
            says="Where ./scripts/appliance up gets NVIDIA's container toolkit from, if that is missing. "
            "Its key has to be NVIDIA's.",
            when="it does not answer, to a mirror of it",
            kind=Url(),
            default="https://nvidia.github.io/libnvidia-container",
        ),
        Setting(
            "PYTHON_BASE",
            says="The image that the Python services are built on. Written by ./scripts/appliance up "
            "where no container registry answers (it builds an equivalent from Debian packages).",
            when="you have a base image of your own",
            kind=Image(),
            default="python:3.13-slim",
            services=("model-init", "tgi", "ui", "openai-api"),
        ),
        Setting(
            "NGINX_BASE",
            says="The image that nginx is built on. Written as PYTHON_BASE is.",
            when="you have a base image of your own",
            kind=Image(),
            default="nginx:1.30",
            services=("nginx", "grafana-door"),
        ),
        Setting(
            "KEEP_RELEASES",
            says="Releases whose images stay after an upgrade, the one that runs among them.",
            when="you want to go back further than to the one before",
            kind=Whole(2, 20),
            default="2",
        ),
    ),
)
