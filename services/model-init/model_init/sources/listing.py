"""Which files make up a model: every source of MODEL_SOURCES is asked in turn, until one gives a list.

Owns who is asked next and what all failures together mean. An answer that is no list is its source's failure,
said in a line. The first list is believed (trust on first use), whoever gives it: a person is told who.
"""

from __future__ import annotations

from model_files.hubs import Hub, ModelScope

from ..errors import GatedModel, ModelInitError, ModelNotFound, NoNetwork, TransientError, Unreachable
from ..file_list import FileList
from ..proxies import by_way_of, require_answer
from ..selection import HostileListing
from ..settings import Settings
from . import Listener, Say, modelscope
from .place import Place
from .refusals import no_network
from .retry import keep_trying

# what an answer that is no list tells of the model, the most telling kind first
_TELLING = (GatedModel, ModelNotFound, HostileListing, NoNetwork)
_FAILURES = (TransientError, *_TELLING)


def ask_for_list(settings: Settings, listener: Listener) -> FileList:
    """The list of the first source that gives one.

    Raises:
        ModelInitError: none does; of the kind that tells most, with what the others said.
    """
    where = ", ".join(hub.endpoint for hub in settings.hubs)
    said: set[str] = set()

    def say_once(text: str) -> None:
        if text not in said:
            said.add(text)
            listener.say(text)

    try:
        return keep_trying(
            lambda: _ask_each(settings, say_once), settings, listener.say, waits=listener.waits
        )
    except TransientError as error:
        raise no_network(where, str(error).removeprefix(f"{where}: ")) from error


def _ask_each(settings: Settings, say: Say) -> FileList:
    """One round. A list that holds no loadable model ends it: another source has the same model.

    Raises:
        TransientError: a source that did not answer may have the list yet, and no hub denies the model.
        ModelInitError: as `ask_for_list`.
    """
    failures: list[tuple[Hub, TransientError | ModelInitError]] = []
    # ModelScope last: its list names no commit
    hubs = sorted(settings.hubs, key=lambda hub: isinstance(hub, ModelScope))
    for number, hub in enumerate(hubs):
        place = Place.of(hub, settings)
        try:
            found = _ask(settings, place, hub)
        except _FAILURES as refusal:
            error = _may_pass(place, refusal, failures)
            failures.append((hub, error))
            if number + 1 < len(hubs):
                following = hubs[number + 1].name
                say(f"no list of files from {hub.name} ({hub.endpoint}): {error}; asking {following}")
        else:
            say(f"the list of files comes from {hub.name} ({hub.endpoint}), trusted on first use")
            return found
    transient = [error for _, error in failures if isinstance(error, TransientError)]
    denied = any(
        isinstance(error, (GatedModel, ModelNotFound)) and not isinstance(hub, ModelScope)
        for hub, error in failures
    )
    if transient and not denied:
        each = "; ".join(f"{hub.endpoint}: {error}" for hub, error in failures)
        raise TransientError(each, transient[0].retry_after_s)
    raise _most_telling([error for _, error in failures])


def _may_pass(
    place: Place,
    error: TransientError | ModelInitError,
    others: list[tuple[Hub, TransientError | ModelInitError]],
) -> TransientError | ModelInitError:
    """The failure, with the proxy's name where there is one on the way. A mirror that is not shown the token
    denies nothing while who may see it may only be out of reach."""
    if isinstance(error, GatedModel) and place.withheld:
        return TransientError(str(error)) if any(isinstance(e, TransientError) for _, e in others) else error
    if isinstance(error, TransientError) and not isinstance(error, Unreachable):
        return TransientError(f"{error}{by_way_of(place.endpoint)}", error.retry_after_s)
    return error


def _ask(settings: Settings, place: Place, hub: Hub) -> FileList:
    require_answer(place.endpoint)
    if isinstance(hub, ModelScope):
        return modelscope.list_model(settings, place, hub)
    from .hub import list_model  # imports the Hub's client, which takes a second

    return list_model(settings, place)


def _most_telling(errors: list[TransientError | ModelInitError]) -> ModelInitError:
    """One failure for all, with the others' words, none twice."""
    telling = [error for error in errors if isinstance(error, ModelInitError)]
    main = next(error for kind in _TELLING for error in telling if isinstance(error, kind))
    others = dict.fromkeys(str(error).split(";")[0] for error in errors if error is not main)
    return type(main)("; besides: ".join([str(main), *others]))
