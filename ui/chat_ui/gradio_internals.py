"""What this package uses of Gradio though Gradio does not document it, under names of our own.

The page's part is in `static/gradio_internals.css` and `static/gradio_internals.js`. The tests look for each
name in the Gradio that is installed. It is imported before Gradio, so it imports nothing of it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import gradio as gr

QUESTION_ROUTE = "/gradio_api/queue/join"
"""Where a page posts its question."""
STREAM_ROUTE = "/gradio_api/queue/data"
"""Where it then reads the answer, with its session in the query, as `session_hash`."""
HEARTBEAT_ROUTE = "/gradio_api/heartbeat/{session_hash}"
"""Which a page of ours never opens."""


def spare_matplotlib() -> None:
    """To be called before Gradio is imported, by those who plot nothing.

    Gradio retries a failing `import matplotlib` twice for every streamed update (about a tenth of its CPU
    time); None makes the failure immediate.
    """
    sys.modules["matplotlib"] = None  # type: ignore[assignment]


def identify(demo: gr.Blocks, app_id: int) -> None:
    """Give the app an id: a page that finds another one behind its address loads itself anew."""
    _change(demo, app_id=app_id)


def start_queue(demo: gr.Blocks, streams: int, waiting: int) -> None:
    """Make the queue, for so many answers at a time and so many questions that wait; nothing skips it."""
    # queue() reads it, so this comes first
    _change(demo, max_threads=streams)
    demo.queue(api_open=False, default_concurrency_limit=None, max_size=waiting)
    # why: the queue looks for work every millisecond by default, 5% of a core for an idle replica
    _change(demo._queue, sleep_when_free=0.01, progress_update_sleep_when_free=1.0)


def sessions_being_answered(demo: gr.Blocks) -> set[str]:
    """The sessions whose answers are being written now."""
    events: dict[str, Any] = demo._queue.event_ids_to_events
    return {event.session_hash for event in events.values() if event.alive}


def bytes_held(demo: gr.Blocks) -> int:
    """The size of all the requests whose answers wait or are being written."""
    events: dict[str, Any] = demo._queue.event_ids_to_events
    return sum(int(event.request.headers.get("content-length", 0)) for event in events.values())


async def drop_answers(demo: gr.Blocks, session: str) -> None:
    """Keep nothing for a session that nobody reads, and send it nothing any more.

    Gradio does most of this itself when a stream is closed, but nothing where none was opened.
    """
    await demo._queue.clean_events(session_hash=session)
    demo._queue.pending_messages_per_session.pop(session, None)
    demo._queue.pending_event_ids_session.pop(session, None)


def forget_session(demo: gr.Blocks, session: str | None) -> None:
    """Drop what Gradio remembers of a session: each component's last value, so the conversation."""
    demo.state_holder.session_data.pop(session or "", None)


def _change(owner: object, **values: Any) -> None:
    """Set attributes that are there: one that Gradio has moved would be set, and do nothing."""
    for name, value in values.items():
        getattr(owner, name)
        setattr(owner, name, value)
