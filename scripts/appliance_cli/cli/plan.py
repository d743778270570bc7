"""``appliance plan``: what a model takes on a card and what follows, before anything is downloaded."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from appliance_cli.base.errors import BadSetting, HostNotReady
from appliance_cli.base.output import Output
from appliance_cli.cli.edge import EnvFile, Verbose, edge, env_path
from appliance_cli.config import dotenv_file
from appliance_cli.gpu import cards_here as gpus
from appliance_cli.gpu import hub_config
from appliance_cli.gpu import report as plan_report
from appliance_cli.gpu import settings as engine_settings
from appliance_cli.gpu.modes import MODES
from appliance_cli.gpu.planning import cards, fitting, known_models
from appliance_cli.gpu.planning.architecture import Architecture, from_config
from appliance_cli.gpu.planning.cards import Card
from appliance_cli.gpu.planning.model_files import read_folder
from appliance_cli.gpu.planning.plan import Request
from appliance_cli.gpu.settings import EngineSettings

ModelOption = Annotated[str | None, typer.Option(metavar="ID|FOLDER", help="A model's id, or its folder.")]
ModeOption = Annotated[
    str | None, typer.Option(help=f"{', '.join(MODES)}.", show_default="MODE in .env, else nf4")
]
GpuOption = Annotated[str | None, typer.Option(metavar="NAME", help='A card by name, such as "RTX 4090".')]
VramOption = Annotated[float | None, typer.Option(metavar="GIB", help="A card by its memory.")]
TargetOption = Annotated[float | None, typer.Option(metavar="GIB", help="Keep the engine below this.")]
UsersOption = Annotated[int, typer.Option(min=1, help="Conversations of full length at the same time.")]
TokensOption = Annotated[
    int | None, typer.Option(min=256, help="Prompt and answer of one conversation.", show_default="8192")
]


@edge
def plan(
    model: ModelOption = None,
    mode: ModeOption = None,
    gpu: GpuOption = None,
    vram: VramOption = None,
    target_vram: TargetOption = None,
    users: UsersOption = 1,
    tokens: TokensOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    env_file: EnvFile = None,
    verbose: Verbose = False,
) -> None:
    """Work out whether a model fits a card (else exit 3), how many it serves, and the settings for it.

    Without --gpu and --vram: this host's card, else the RTX 4090.
    """
    values = dotenv_file.effective(env_path(env_file))
    options = {"MODE": mode, "MODEL_ID": model, "TARGET_VRAM": target_vram, "MAX_TOTAL_TOKENS": tokens}
    values |= {key: str(value) for key, value in options.items() if value is not None}
    if model is not None:
        values.pop("MODEL_REVISION", None)  # it is that of the model in .env
    settings = engine_settings.parse(values)
    output = Output(verbose=verbose)
    card = chosen_card(settings, gpu, vram, output)
    found, files = model_of(settings.model_id, values)
    warnings = engine_settings.validate(settings, found, [card] * settings.cards_needed)
    wanted = request(settings, found, card, users=users, files_bytes=files)
    result = fitting.fits(wanted)
    output.data(json.dumps(plan_report.content(result), indent=2) if as_json else plan_report.table(result))
    for warning in warnings:
        output.item("warn", warning)


def request(
    settings: EngineSettings,
    model: Architecture,
    card: Card,
    *,
    users: int = 1,
    files_bytes: int | None = None,
) -> Request:
    """The planner's question from the operator's settings. ``card`` is one of the equal ones of an engine."""
    return Request(
        model_id=settings.model_id,
        model=model,
        mode=settings.mode.name,
        format_=settings.mode.format_,
        card=card,
        tokens=settings.max_total_tokens,
        users=users,
        target=settings.target_vram,
        fraction=settings.fraction,
        prefill=settings.max_batch_prefill_tokens,
        max_input=settings.max_input_tokens,
        kv_element_bytes=1 if settings.kv_cache_dtype else 2,
        shards=settings.tensor_parallel,
        speculate=settings.speculate > 0,
        cuda_graphs=settings.cuda_graphs,
        fast_nf4=settings.fast_nf4,
        files_bytes=files_bytes,
    )


def model_of(name: str, values: Mapping[str, str]) -> tuple[Architecture, int | None]:
    """The architecture of a folder or an id, and the bytes of its tensors where they are there.

    ``values`` are .env's keys: where a hub is asked that knows the id.

    Raises:
        BadSetting: nobody knows it, or the planner cannot work with it.
    """
    if (Path(name) / "config.json").is_file():
        folder = read_folder(Path(name))
        return folder.architecture, folder.tensor_bytes
    known = known_models.find(name)
    if known is not None:
        return known, None
    return from_config(hub_config.fetch(name, values), f"{name}'s config.json"), None


def chosen_card(settings: EngineSettings, gpu: str | None, vram: float | None, output: Output) -> Card:
    """The card that was asked for; else this host's; else the RTX 4090, told so on stderr."""
    if gpu is not None:
        card = cards.by_name(gpu)
        if vram is None:
            return card
        raise BadSetting(
            "Two cards were named", expected="--gpu or --vram", found="both", remedy="give one of them"
        )
    if vram is not None:
        return cards.by_memory(vram)
    try:
        found = gpus.look().cards
    except HostNotReady:
        found = ()
    if not found:
        output.say("No NVIDIA card here: planning for an RTX 4090. Another: --gpu NAME or --vram GIB")
        return cards.by_name("RTX 4090")
    choice = gpus.choose(found, settings.gpu_devices[0] if settings.gpu_devices else None)
    return choice.gpu.card
