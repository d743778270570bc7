"""How fast a card reads and writes: measured steps of TGI, carried over to another card. Pure; seconds.

Measured: TGI 3.3.7 with Qwen2.5-7B's architecture on an H100 (docs/performance.md), decode steps by the
number of answers, and the same through launcher and router. Carried over: what a step reads of memory by the
cards' bandwidth, what it computes by their tensor cores, and the rest as it was measured (launches, small
kernels, the host), since that depends on the PC more than on the card. An estimate, and told as one.
"""

from dataclasses import dataclass

from appliance_cli.gpu.planning.architecture import Architecture, kv_bytes_per_token, linear_matrices
from appliance_cli.gpu.planning.cards import Card
from appliance_cli.gpu.planning.known_models import DEFAULT_MODEL, find
from appliance_cli.gpu.planning.weights import Format, tgi_weights

# Decode steps in ms by the size of the CUDA graph: nf4 and bf16 with graphs to 128.
_SIZES = (1, 2, 4, 8, 16, 32, 48, 64, 96, 128)
_NF4 = (6.6, 8.5, 10.8, 13.7, 14.1, 15.6, 18.1, 19.4, 24.2, 26.3)
_BF16 = (8.4, 8.5, 8.7, 9.0, 9.4, 11.2, 12.2, 12.9, 14.9, 14.7)
# bitsandbytes 0.45.2: above 32 rows not measured with graphs, there nf4's growth is added
_NF4_OLD = (7.5, 24.6, 25.1, 25.2, 25.7, 26.8, 29.3, 30.6, 35.4, 37.5)
_CONTEXT = 640
"""Tokens of a conversation while those steps were measured."""
# What launcher, router and tokenizer add to a step, by the gaps that readers saw through the router (8 ms for
# one, 45 ms for 128): the host's work, which no faster card shortens.
_HOST_STEP, _HOST_ROW = 1.3e-3, 0.136e-3
_HOST_FIRST = 35e-3  # the least time to a first token was 70 ms, of which the card's work is half
_BANDWIDTH_REACHED = 0.8  # of the data sheet's, the usual share of a copy
_COMPUTE_REACHED = 0.6  # of the data sheet's, where the card is no faster than…
_COMPUTE_SEEN = 474e12  # …this: 7,168 tokens in 230 ms on the H100, less the dequantising
_FAST_ROWS = 64  # above, bitsandbytes 0.50 dequantises whole matrices


@dataclass(frozen=True)
class Job:
    """A model in a mode, as far as its speed depends on it. On one card: sharded ones were not measured."""

    model: Architecture
    format_: Format
    fast_nf4: bool
    kv_bytes: int

    @property
    def elements(self) -> int:
        """Weights that each token is multiplied with, the head's among them."""
        linear = sum(matrix.elements for matrix in linear_matrices(self.model))
        head = self.model.vocab_size * self.model.hidden_size
        return linear * self.model.num_hidden_layers + head


@dataclass(frozen=True)
class Machine:
    """A card: bytes and operations a second that it reaches."""

    bandwidth: float
    compute: float


H100 = Machine(3350e9 * _BANDWIDTH_REACHED, _COMPUTE_SEEN)
"""Where the steps were measured."""


def machine(card: Card) -> Machine | None:
    """What a card reaches of its data sheet, or None for a card that is not in the table."""
    if card.bandwidth is None or card.compute is None:
        return None
    return Machine(card.bandwidth * _BANDWIDTH_REACHED, min(card.compute * _COMPUTE_REACHED, _COMPUTE_SEEN))


def step(job: Job, machine: Machine, rows: int, context: int) -> float:
    """One decode step of ``rows`` answers, each ``context`` tokens into its conversation; host included."""
    size = next((size for size in _SIZES if size >= rows), _SIZES[-1])
    measured = _measured(job)
    rest = _steps(job)[_SIZES.index(size)] / 1000 - _card_time(measured, H100, size, _CONTEXT)
    larger = max(
        1 if job.model == measured.model else job.model.num_hidden_layers / measured.model.num_hidden_layers,
        job.elements / measured.elements,
    )
    card = _card_time(job, machine, size, context)
    return card + max(rest, 0) * larger + _HOST_STEP + _HOST_ROW * rows


def prefill(job: Job, machine: Machine, tokens: int, steps: int = 1) -> float:
    """Reading ``tokens`` of prompt in ``steps`` steps; the card's time alone."""
    model = job.model
    linear = 2 * tokens * job.elements
    attention = 2 * model.num_hidden_layers * model.query_size * tokens**2  # causal: half of each square
    return (linear + attention) / machine.compute + steps * _read(job, dequantised=True) / machine.bandwidth


def first_token(job: Job, machine: Machine, tokens: int, budget: int) -> float:
    """For one who asks alone."""
    return prefill(job, machine, tokens, -(-tokens // budget)) + _HOST_FIRST


def last_first_token(job: Job, machine: Machine, people: int, prompt: int, answer: int, budget: int) -> float:
    """For the last of ``people`` who ask at once: all prompts, and a step of the readers between each two."""
    steps = -(-people * prompt // budget)
    between = (steps - 1) * step(job, machine, people, prompt + answer)
    return _prompts(job, machine, people, prompt, budget) + between + _HOST_FIRST


def together(job: Job, machine: Machine, people: int, prompt: int, answer: int, budget: int) -> float:
    """Tokens a second of ``people`` who ask, read the answer and ask again at once."""
    writing = answer * step(job, machine, people, prompt + answer // 2)
    return people * answer / (_prompts(job, machine, people, prompt, budget) + writing)


def pause(job: Job, machine: Machine, prompt: int, budget: int, readers: int = 16) -> float:
    """The longest gap that ``readers`` see while a prompt of so many tokens arrives."""
    return prefill(job, machine, min(prompt, budget)) + 2 * step(job, machine, readers, _CONTEXT)


def roofline(job: Job, card: Card, rows: int, context: int) -> float | None:
    """Tokens a second that nothing could pass: the weights and the conversations read once a step, as fast
    as the card's data sheet says. None for a card that is not in the table."""
    if card.bandwidth is None:
        return None
    return rows * card.bandwidth / (_read(job, dequantised=False) + rows * context * job.kv_bytes)


def is_measured(format_: Format) -> bool:
    """Whether the mode's steps were measured; others are taken from bf16's, with their own weights' bytes."""
    return format_ in ("nf4", "bf16")


def _prompts(job: Job, machine: Machine, people: int, prompt: int, budget: int) -> float:
    """All prompts of ``people``, packed into steps of the budget."""
    steps = -(-people * prompt // budget)
    # why: attention is within a prompt, so it is counted prompt by prompt; weights are read once a step
    alone = prefill(job, machine, prompt)
    read = _read(job, dequantised=True) / machine.bandwidth
    return people * (alone - read) + steps * read


def _card_time(job: Job, machine: Machine, rows: int, context: int) -> float:
    dequantised = rows > (_FAST_ROWS if job.fast_nf4 else 1)
    read = _read(job, dequantised) + rows * context * job.kv_bytes
    return read / machine.bandwidth + 2 * rows * job.elements / machine.compute


def _read(job: Job, dequantised: bool) -> int:
    """Bytes of weights that a step moves: dequantised nf4 is written and read as a 16-bit copy, too."""
    weights = tgi_weights(job.model, job.format_)
    copy = 0
    if dequantised and job.format_ in ("nf4", "nf4-single"):
        copy = 2 * tgi_weights(job.model, "bf16").linear
    return weights.linear + weights.head + copy


def _steps(job: Job) -> tuple[float, ...]:
    if job.format_ in ("nf4", "nf4-single"):
        return _NF4 if job.fast_nf4 else _NF4_OLD
    return _BF16


def _measured(job: Job) -> Job:
    """What was run for this job's steps: the default model in nf4 or bf16."""
    model = find(DEFAULT_MODEL)
    assert model is not None
    format_: Format = "nf4" if job.format_ in ("nf4", "nf4-single") else "bf16"
    return Job(model, format_, job.fast_nf4, kv_bytes_per_token(model))
