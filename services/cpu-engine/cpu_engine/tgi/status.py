"""What is asked about the engine: health, information, models, metrics."""

import orjson
from starlette.requests import Request
from starlette.responses import Response

from cpu_engine.tgi.errors import Unhealthy
from cpu_engine.tgi.service import DOCKER_LABEL, VERSION, Service


class StatusRoutes:
    """Handlers of the GET routes."""

    def __init__(self, service: Service) -> None:
        self._inference = service.inference
        self._settings = service.settings

    async def health(self, _: Request) -> Response:
        """GET /health, /ping and /: an empty 200 while the engine answers."""
        if not await self._inference.engine.healthy():
            raise Unhealthy
        return Response()

    async def info(self, _: Request) -> Response:
        """GET /info. `model_sha` and `model_pipeline_tag` are null, as for every model in a local folder."""
        limits = self._inference.limits
        body = {
            "model_id": self._settings.model_id,
            "model_sha": None,
            "model_pipeline_tag": None,
            "max_concurrent_requests": limits.max_concurrent_requests,
            "max_best_of": limits.max_best_of,
            "max_stop_sequences": limits.max_stop_sequences,
            "max_input_tokens": limits.max_input_tokens,
            "max_total_tokens": limits.max_total_tokens,
            "validation_workers": 1,
            "max_client_batch_size": limits.max_client_batch_size,
            "router": "text-generation-router",
            "version": VERSION,
            "sha": None,
            "docker_label": DOCKER_LABEL,
        }
        return Response(orjson.dumps(body), media_type="application/json")

    async def models(self, _: Request) -> Response:
        """GET /v1/models."""
        model_id = self._settings.model_id
        model = {"id": model_id, "object": "model", "created": 0, "owned_by": model_id}
        return Response(orjson.dumps({"object": "list", "data": [model]}), media_type="application/json")

    async def metrics(self, _: Request) -> Response:
        """GET /metrics."""
        await self._inference.observe()
        return Response(self._inference.metrics.render(), media_type="text/plain")
