"""The planner's question: which model, on which card, in which mode, made from the operator's settings."""

from collections.abc import Mapping
from pathlib import Path

from appliance_cli.gpu import hub_config, served
from appliance_cli.gpu.modes import Mode
from appliance_cli.gpu.planning import known_models
from appliance_cli.gpu.planning.architecture import Architecture, from_config
from appliance_cli.gpu.planning.cards import Card
from appliance_cli.gpu.planning.model_folder import read_config, read_folder
from appliance_cli.gpu.planning.plan import Request
from appliance_cli.gpu.settings import GpuSettings


def request(
    settings: GpuSettings,
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
        concurrent=settings.max_concurrent_requests,
        kv_element_bytes=1 if settings.kv_cache_dtype else 2,
        shards=settings.tensor_parallel,
        speculate=settings.speculate,
        cuda_graphs=settings.cuda_graphs,
        fast_nf4=settings.fast_nf4,
        files_bytes=files_bytes,
    )


def model_of(name: str, values: Mapping[str, str], mode: Mode) -> tuple[Architecture, int | None]:
    """The architecture of a folder or an id, and the bytes of its tensors where they are there.

    ``values`` are .env's keys: where a hub is asked that knows the id.

    Raises:
        NotServed: TGI would refuse it in this mode.
        BadSetting: nobody knows it, or the planner cannot work with it.
    """
    if (Path(name) / "config.json").is_file():
        served.require(name, str(read_config(Path(name)).get("model_type", "")), mode)
        folder = read_folder(Path(name))
        return folder.architecture, folder.tensor_bytes
    known = known_models.find(name)
    if known is not None:
        return known, None
    config = hub_config.fetch(name, values)
    served.require(name, str(config.get("model_type", "")), mode)
    return from_config(config, f"{name}'s config.json"), None
