"""``appliance plan``: what a model takes on a card and what follows, before anything is downloaded."""

import json
from dataclasses import replace
from typing import Annotated

import typer

from appliance_cli.base.errors import BadSetting, HostNotReady
from appliance_cli.base.output import Output
from appliance_cli.cli.run import Json, Run
from appliance_cli.config import values as given_values
from appliance_cli.config.table import default_of
from appliance_cli.gpu import cards_here, report
from appliance_cli.gpu import settings as gpu_settings
from appliance_cli.gpu.modes import MODES
from appliance_cli.gpu.planning import cards, fitting, people
from appliance_cli.gpu.planning.cards import Card
from appliance_cli.gpu.question import model_of, request
from appliance_cli.gpu.settings import GpuSettings

ModelOption = Annotated[str | None, typer.Option(metavar="ID|FOLDER", help="A model's id, or its folder.")]
ModeOption = Annotated[
    str | None,
    typer.Option(help=f"{', '.join(MODES)}.", show_default=f"MODE in .env, else {default_of('MODE')}"),
]
GpuOption = Annotated[str | None, typer.Option(metavar="NAME", help='A card by name, such as "RTX 4090".')]
VramOption = Annotated[float | None, typer.Option(metavar="GIB", help="A card by its memory.")]
TargetOption = Annotated[
    str | None, typer.Option(metavar="GIB|all", help="Keep the engine below this; all: the whole card.")
]
UsersOption = Annotated[int, typer.Option(min=1, help="Conversations of full length at the same time.")]
TokensOption = Annotated[
    int | None,
    typer.Option(
        min=256, help="Prompt and answer of one conversation.", show_default=default_of("MAX_TOTAL_TOKENS")
    ),
]
PromptOption = Annotated[int, typer.Option(min=1, help="New tokens of a usual question, for the speeds.")]
AnswerOption = Annotated[int, typer.Option(min=1, help="Tokens of a usual answer, for the speeds.")]


def plan(
    run: Run,
    model: ModelOption = None,
    mode: ModeOption = None,
    gpu: GpuOption = None,
    vram: VramOption = None,
    target_vram: TargetOption = None,
    users: UsersOption = 1,
    tokens: TokensOption = None,
    prompt: PromptOption = people.DEFAULT_PROMPT,
    answer: AnswerOption = people.DEFAULT_ANSWER,
    as_json: Json = False,
) -> None:
    """Work out whether a model fits a card (else exit 3), whom it serves how fast, and the settings for it.

    Without --gpu and --vram: this host's card, else the RTX 4090.
    """
    # why: the revision in .env is that of the model there
    revision = None if model is None else ""
    options = {
        "MODE": mode,
        "TARGET_VRAM": target_vram,
        "MAX_TOTAL_TOKENS": tokens,
        "MODEL_REVISION": revision,
    }
    chosen = {name: str(value) for name, value in options.items() if value is not None}
    values = given_values.read(run.env_file, chosen)
    settings = gpu_settings.parse(values)
    if model is not None:
        settings = replace(settings, model_id=model)  # may be a folder
    output = run.output
    card = chosen_card(settings, gpu, vram, output)
    found, files = model_of(settings.model_id, values, settings.mode)
    warnings = gpu_settings.validate(settings, found, [card] * settings.cards_needed)
    wanted = request(settings, found, card, users=users, files_bytes=files)
    result = fitting.fits(wanted)
    crowd = people.of(result, prompt, answer)
    told = json.dumps(report.content(result, crowd), indent=2) if as_json else report.table(result, crowd)
    output.data(told)
    for warning in (*warnings, *people.doubts(result)):
        output.item("warn", warning)


def chosen_card(settings: GpuSettings, gpu: str | None, vram: float | None, output: Output) -> Card:
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
        found = cards_here.look().cards
    except HostNotReady:
        found = ()
    if not found:
        output.say("No NVIDIA card here: planning for an RTX 4090. Another: --gpu NAME or --vram GIB")
        return cards.by_name("RTX 4090")
    choice = cards_here.choose(found, settings.gpu_devices[0] if settings.gpu_devices else None)
    return choice.gpu.card
