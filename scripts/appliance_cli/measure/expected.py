"""What the planner expects of this host's card, and what its memory allows at most: to stand beside what was
measured. Also the article's figures. Asks for nothing that is not here; measures nothing."""

from dataclasses import dataclass, replace

from appliance_cli.base.errors import ApplianceError
from appliance_cli.config import values as given_values
from appliance_cli.config.appliance import Appliance
from appliance_cli.gpu import cards_here, setup
from appliance_cli.gpu.planning import people, speed
from appliance_cli.gpu.planning.plan import Plan

ARTICLE_PROMPT, ARTICLE_ANSWER = 512, 256


@dataclass(frozen=True)
class Beside:
    """A line beside the measured ones. ``least``: the speeds are lower, the first token an upper bound."""

    who: str
    first_token: float | None
    each: float | None
    together: float | None
    bounds: bool = False


ARTICLE = (
    Beside("the article, transformers in 4 bits, RTX 4090", 0.82, 43, None),
    Beside("the article, vLLM", 0.3, 120, None, bounds=True),
)


def of(appliance: Appliance, prompt: int, answer: int, crowds: tuple[int, ...]) -> tuple[Beside, ...]:
    """The plan's estimate and the roofline for so many people at a time; none on a host without a card."""
    plan = _plan(appliance)
    if plan is None:
        return ()
    job, machine, unknown = people.measurable(plan.request)
    if machine is None:
        return (Beside(f"the plan for {plan.request.card.name}: {unknown}", None, None, None),)
    found = []
    for number in crowds:
        crowd = people.crowd(job, machine, number, prompt, answer, plan.max_batch_prefill_tokens)
        who = f"{number} on {plan.request.card.name}"
        found.append(Beside(f"planned for {who}", crowd.last_first_token, crowd.each, crowd.together))
        most = speed.roofline(job, plan.request.card, number, prompt + answer // 2)
        found.append(Beside(f"roofline of {who}", None, most / number if most else None, most))
    return tuple(found)


def _plan(appliance: Appliance) -> Plan | None:
    """As `up` makes it, except that the running engine's own memory counts as free."""
    if appliance.engine != "gpu":
        return None
    try:
        wanted = setup.read(given_values.read(appliance.env_file))
        return setup.decide(wanted, tuple(replace(card, used=0) for card in cards_here.look().cards)).plan
    except ApplianceError:
        return None
