"""The sums of the article that this project is compared with, done again. Pure."""

from dataclasses import dataclass

from appliance_cli.measure.cost import Comparison, Elsewhere, Own, compare

OWN = Own(purchase=13_000, power_month=30, years=3)
CLOUD = Elsewhere("a cloud instance", 1_800)
SAID_TOTAL = 13_090.0


@dataclass(frozen=True)
class Sum:
    """One of its figures: what it says, what its own numbers give, and why that differs ("" when not)."""

    what: str
    said: str
    right: str
    why: str


def comparison() -> Comparison:
    """Its box against its cloud."""
    return compare(OWN, CLOUD)


def sums() -> tuple[Sum, ...]:
    """Every figure of its table and its text that follows from others."""
    right = comparison()
    assert right.saved_share is not None and right.break_even is not None
    months = (SAID_TOTAL - OWN.purchase) / OWN.power_month
    of_said = 1 - SAID_TOTAL / right.total
    depreciation = OWN.purchase / OWN.months
    return (
        Sum("electricity, three years", "-", f"{OWN.power_month * OWN.months:,.0f}", ""),
        Sum(
            "own box, three years",
            f"{SAID_TOTAL:,.0f}",
            f"{OWN.total:,.0f}",
            f"it has {months:.0f} months of electricity in it, not {OWN.months:.0f}",
        ),
        Sum("cloud, three years", "64,800", f"{right.total:,.0f}", ""),
        Sum(
            "break-even",
            "month 8",
            f"month {right.break_even_month}",
            f"right: after {right.break_even:.1f} months, {OWN.purchase:,.0f} / "
            f"({CLOUD.month:,.0f} - {OWN.power_month:,.0f})",
        ),
        Sum(
            "own box, a month",
            "360",
            f"{OWN.month:,.0f}",
            f"it is {OWN.purchase:,.0f} / {OWN.months:.0f} = {depreciation:,.0f}, without electricity",
        ),
        Sum("saved", "80%", f"{right.saved_share:.0%}", f"{of_said:.0%} of its own {SAID_TOTAL:,.0f}"),
        Sum("saved, in its title", "50%", f"{right.saved_share:.0%}", "no two of its figures give it"),
    )
