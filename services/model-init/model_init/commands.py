"""The subcommands that an operator's tool calls: fetch, verify, list, remove, export, import.

Data goes to stdout, words to stderr. None of them touches status.json, which belongs to the start of the
appliance.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable

from .errors import CorruptDownload, SettingsError
from .kernels.prepare import Kernels, look
from .report.console import Console, human_bytes
from .report.reporter import Reporter
from .report.status import Status
from .settings import Settings, parse_model_id
from .volume.bundle import export_model, import_model
from .volume.layout import only_writer, prepare_volume
from .volume.library import list_models, remove_model
from .volume.verify import check_published

Command = Callable[[Settings, argparse.Namespace, Reporter], None]


def add_commands(parser: argparse.ArgumentParser) -> None:
    """Declare them; the chosen one is `options.command`, None when model-init is to do its main job."""
    parser.set_defaults(command=None, writes_status=True)
    commands = parser.add_subparsers(title="commands (default: make the model that MODEL_ID names ready)")
    text = "make the model that MODEL_ID names ready beside the one that is served"
    commands.add_parser("fetch", help=text, description=text).set_defaults(writes_status=False)
    verify = _add(
        commands,
        "verify",
        _verify,
        "read every byte of the published models and kernels; exit 14 if one is damaged",
    )
    verify.add_argument("model_id", nargs="?", metavar="MODEL_ID", help="only this one (default: all)")
    listing = _add(commands, "list", _list, "models on the volume")
    for command in (verify, listing):
        command.add_argument("--json", action="store_true", help="one JSON object on stdout")
    remove = _add(commands, "remove", _remove, "delete a model")
    remove.add_argument("model_id", metavar="MODEL_ID")
    remove.add_argument("--force", action="store_true", help="also the one that is in use")
    export = _add(commands, "export", _export, "write a model to stdout as a tar stream, verified on the way")
    export.add_argument("model_id", metavar="MODEL_ID")
    _add(commands, "import", _import, "read such a stream from stdin, prove it, publish it")


def _add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, command: Command, text: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text)
    parser.set_defaults(command=command)
    return parser


def quiet_reporter(settings: Settings) -> Reporter:
    """Words and progress on stderr, nothing in status.json."""
    return Reporter(settings.models_dir, Status(settings.model_id), Console(), writes=False)


def _verify(settings: Settings, options: argparse.Namespace, reporter: Reporter) -> None:
    result = check_published(settings.models_dir, options.model_id, reporter)
    # one model's check is that model's alone
    kernels = None if options.model_id else look(settings)
    damaged = [f"{bad.model_id}/{bad.path} ({bad.reason})" for bad in result.bad]
    if kernels and kernels.state == "damaged":
        damaged.append(f"the fast 4-bit kernels ({kernels.detail})")
    if options.json:
        told = {"fast_kernels": kernels.as_json() if kernels else None, "ok": not damaged}
        print(json.dumps(result.as_json() | told, ensure_ascii=False))
    if damaged:
        raise CorruptDownload(
            f"damaged: {', '.join(damaged)}; start the appliance again: it fetches these files anew, alone"
        )
    reporter.say(
        f"{', '.join(result.models)}: {result.files} files, {human_bytes(result.bytes)}, every byte is right"
    )
    if kernels:
        _say_kernels(kernels, reporter)


def _list(settings: Settings, options: argparse.Namespace, reporter: Reporter) -> None:
    models = list_models(settings.models_dir, settings.model_id)
    kernels = look(settings)
    if options.json:
        record = {
            "models": [model.as_json() for model in models],
            "fast_kernels": kernels.as_json() if kernels else None,
        }
        print(json.dumps(record, ensure_ascii=False))
        return
    for model in models:
        state = "complete" if model.complete else "incomplete"
        use = ", in use" if model.in_use else ""
        print(f"{model.model_id}  {model.revision or '-'}  {human_bytes(model.disk_bytes)}  {state}{use}")
    if kernels:
        _say_kernels(kernels, reporter)


def _say_kernels(kernels: Kernels, reporter: Reporter) -> None:
    detail = f" ({kernels.detail})" if kernels.detail else ""
    reporter.say(f"fast 4-bit kernels: {kernels.package}: {kernels.state}{detail}")


def _remove(settings: Settings, options: argparse.Namespace, reporter: Reporter) -> None:
    model_id = parse_model_id(options.model_id)
    with only_writer(settings.models_dir, reporter.say):
        freed = remove_model(settings.models_dir, model_id, settings.model_id, force=options.force)
    reporter.say(f"removed {model_id}: {human_bytes(freed)} freed")


def _export(settings: Settings, options: argparse.Namespace, reporter: Reporter) -> None:
    if sys.stdout.isatty():
        raise SettingsError("export: expected a file or a pipe as output, found a terminal; redirect it")
    export_model(settings.models_dir, parse_model_id(options.model_id), sys.stdout.buffer, reporter)
    reporter.say(f"exported {options.model_id}, every byte verified")


def _import(settings: Settings, _options: argparse.Namespace, reporter: Reporter) -> None:
    prepare_volume(settings.models_dir)
    with only_writer(settings.models_dir, reporter.say):
        manifest = import_model(settings.models_dir, sys.stdin.buffer, reporter)
    size = human_bytes(sum(file.size for file in manifest.files))
    reporter.say(f"imported {manifest.model_id}: {len(manifest.files)} files, {size}, verified")
