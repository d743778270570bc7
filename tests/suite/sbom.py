"""The bill of materials of what this repository builds, as CycloneDX 1.6 in JSON: ./scripts/sbom [FILE]

Packages of Python and JavaScript come from the locks, their licences from what the tests have installed, or
the lock; Debian's from the images, where Docker has them. The same inputs give the same file. Judges nothing,
and asks no network.
"""

from __future__ import annotations

import argparse
import base64
import json
import re
import subprocess
import sys
import uuid
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import quote

from appliance_cli.config import version
from suite.host import ROOT

Component = dict[str, Any]
# What is built of which lock; nginx's images hold no packages but Debian's.
LOCKS = {
    "qwen-appliance/model-init": "services/model-init/requirements.lock",
    "qwen-appliance/cpu-engine": "services/cpu-engine/requirements.lock",
    "qwen-appliance/ui": "ui/requirements.lock",
    "qwen-appliance/openai-api": "services/openai-api/requirements.lock",
    "qwen-appliance/nginx": None,
    "scripts/appliance": "scripts/requirements.lock",
}
VIEW, VIEW_LOCK = "ui/chat_ui/static/view", "ui/web/package-lock.json"
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)(?!.*'(?:win32|Windows|darwin)')", re.MULTILINE)
# Packages for the images' Python alone, which the tests on an older one do not install.
LICENCES = {"audioop-lts": "PSF-2.0"}
PULLED = re.compile(r"^ +image: (?:\$\{\w+:-)?([\w./-]+:[\w.-]+)\}?$", re.MULTILINE)
# Each row ends with the release that the package is of, by which databases of faults go.
FIELDS = (
    r"\${Package}\t\${Version}\t\${Architecture}\t\${source:Package}\t$ID-${VERSION_ID:-$VERSION_CODENAME}\n"
)
DPKG = f'. /etc/os-release; exec dpkg-query --show --showformat="{FIELDS}"'


def bill() -> tuple[dict[str, Any], list[str]]:
    """The whole of it, and the images whose Debian packages could not be read."""
    release, unread = version.of(ROOT), []
    found: dict[str, Component] = {}
    tree: dict[str, list[str]] = {"appliance": [*LOCKS, VIEW]}
    for name, lock in LOCKS.items():
        parts = python_packages(ROOT / lock) if lock else []
        image = f"{name}:local" if name.startswith("qwen-appliance/") else None
        debian = debian_packages(image) if image else []
        if image and not debian:
            unread.append(image)
        kind = "container" if image else "application"
        found[name] = {"type": kind, "bom-ref": name, "name": name, "version": release}
        tree[name] = _add(found, [*parts, *debian])
    found[VIEW] = {"type": "library", "bom-ref": VIEW, "name": VIEW, "version": release}
    tree[VIEW] = _add(found, npm_packages(ROOT / VIEW_LOCK))
    tree["qwen-appliance/ui"].append(VIEW)
    tree["appliance"] += _add(found, pulled_images())
    content = {
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": "appliance",
                "name": "qwen-tgi-appliance",
                "version": release,
            }
        },
        "components": [found[ref] for ref in sorted(found)],
        "dependencies": [
            {"ref": ref, "dependsOn": sorted(set(parts))} for ref, parts in sorted(tree.items())
        ],
    }
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(content, sort_keys=True))
    head = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
    }
    return head | content, unread


def python_packages(lock: Path) -> list[Component]:
    """What a lock pins. Its own sums stay there: one for each file that the index has of a version."""
    return [
        _library(f"pkg:pypi/{name.lower()}@{number}", name, number, _python_licence(name))
        for name, number in dict.fromkeys(PIN.findall(lock.read_text(encoding="utf-8")))
    ]


def _python_licence(name: str) -> Component:
    """In the words of the package's own metadata; empty where it has none."""
    try:
        about = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return _expression(LICENCES[name]) if name in LICENCES else {}
    expression, said = ("".join(about.get_all(field, [])) for field in ("License-Expression", "License"))
    if expression:
        return _expression(expression)
    if not said or "\n" in said or said == "UNKNOWN":
        classes = [line for line in about.get_all("Classifier", []) if line.startswith("License ::")]
        said = ", ".join(line.rpartition(":: ")[2] for line in classes)
    return {"licenses": [{"license": {"name": said}}]} if said else {}


def _expression(spdx: str) -> Component:
    return {"licenses": [{"expression": spdx}]}


def npm_packages(lock: Path) -> list[Component]:
    """What the view is bundled of; of the packages that only build it, those that run here are left out."""
    packages = json.loads(lock.read_text(encoding="utf-8"))["packages"]
    found = []
    for folder, about in packages.items():
        name = folder.rpartition("node_modules/")[2]
        if not name or about.get("optional") or re.match(r"esbuild|@types/", name):
            continue
        purl = f"pkg:npm/{quote(name, safe='/')}@{about['version']}"
        kind, _, sum_ = about["integrity"].partition("-")
        hashes = [{"alg": kind.upper().replace("SHA", "SHA-"), "content": base64.b64decode(sum_).hex()}]
        found.append(
            _library(purl, name, about["version"], _expression(about["license"])) | {"hashes": hashes}
        )
    return found


def debian_packages(image: str) -> list[Component]:
    """What dpkg knows in an image; nothing where Docker does not have it."""
    command = ["docker", "run", "--rm", "--pull", "never", "--network", "none", "--entrypoint", "sh", image]
    try:
        done = subprocess.run([*command, "-c", DPKG], capture_output=True, text=True, check=False)
    except OSError:
        return []
    rows = [line.split("\t") for line in done.stdout.splitlines() if line.count("\t") == 4]
    return [
        _library(f"pkg:deb/debian/{name}@{quote(number)}?arch={kind}&distro={release}", name, number, {})
        | {"properties": [{"name": "debian:source", "value": source}]}
        for name, number, kind, source, release in rows
    ]


def pulled_images() -> list[Component]:
    """Images that come as their makers ship them, by Compose's default."""
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    found = sorted({image for image in PULLED.findall(text) if not image.startswith("qwen-appliance/")})
    return [
        {
            "type": "container",
            "bom-ref": image,
            "name": image.rpartition(":")[0],
            "version": image.rpartition(":")[2],
        }
        for image in found
    ]


def _library(purl: str, name: str, number: str, licences: Component) -> Component:
    return {"type": "library", "bom-ref": purl, "name": name, "version": number, "purl": purl} | licences


def _add(found: dict[str, Component], parts: list[Component]) -> list[str]:
    found.update((part["bom-ref"], part) for part in parts)
    return [part["bom-ref"] for part in parts]


def main() -> int:
    """Write the bill to a file or to stdout; on stderr say what it lacks."""
    parser = argparse.ArgumentParser(prog="./scripts/sbom", description=(__doc__ or "").partition(":")[0])
    parser.add_argument("file", nargs="?", type=Path, help="where to write it; stdout without")
    file = parser.parse_args().file
    content, unread = bill()
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    if file is None:
        sys.stdout.write(text)
    else:
        file.write_text(text, encoding="utf-8")
        print(f"{file}: {len(content['components'])} components", file=sys.stderr)
    if unread:
        print(
            f"without the Debian packages of {', '.join(unread)}: Docker has no such image", file=sys.stderr
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
