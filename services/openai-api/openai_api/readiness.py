"""Whether there is an engine that can answer at once: healthy, and with `json_object`'s grammar prepared."""

from __future__ import annotations

import asyncio
import logging

from openai_api.engine import Engine

POLL_SECONDS = 2.0
log = logging.getLogger(__name__)


class Readiness:
    """Asks the engine as long as the service runs.

    Attributes:
        stage: loading, warming or ready.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.stage = "loading"

    async def watch(self) -> None:
        """Run until cancelled."""
        while True:
            healthy = await self._engine.is_healthy()
            stage = "ready" if healthy else "loading"
            if stage != self.stage:
                log.info("engine: %s", stage)
            self.stage = stage
            await asyncio.sleep(POLL_SECONDS)
