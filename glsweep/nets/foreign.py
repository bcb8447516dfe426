"""Weights of the same U-Nets from other programs, put under the names of our layers.

Most layers are recognised by their shapes, the others by the order in which a program lists them: two
convolutions of a stage one after the other, the pyramid's branches by dilation. Where a name contradicts
the order, or neither decides, nothing is guessed.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from glsweep.nets import build_network, count_parameters
from glsweep.nets.unet import PUBLISHED_RATES

Shape = tuple[int, ...]

KNOWN = ("unet", "attention_unet")
CHANNELS = 2
"""Those of the study's networks: phase and magnitude."""
POOLING = re.compile(r"pool|gap|global|glob|avg|mean|image|img", re.IGNORECASE)
CONVOLUTION_TENSORS = ("weight", "bias")
NORMALISATION_TENSORS = (*CONVOLUTION_TENSORS, "running_mean", "running_var")
BATCHES_TRACKED = "num_batches_tracked"


class UnknownLayersError(Exception):
    """Weights are not those of the network that they are said to be; the message says why."""


@dataclass
class Layer:
    """What belongs to one layer: its tensors by their last names."""

    name: str
    tensors: dict[str, Tensor] = field(default_factory=dict)

    @property
    def shape(self) -> Shape:
        """The weights' shape."""
        return tuple(self.tensors["weight"].shape) if "weight" in self.tensors else ()

    @property
    def numbers(self) -> list[int]:
        """All numbers in the name."""
        return [int(number) for number in re.findall(r"\d+", self.name)]

    @property
    def number(self) -> int:
        """The last number in the name, apart from a place in a sequence below it; 0 if there is none."""
        numbers = re.findall(r"\d+", re.sub(r"(?<=[^.\d])(\d+)\.\d+$", r"\1", self.name))
        return int(numbers[-1]) if numbers else 0

    @property
    def tag(self) -> str:
        """What is left of the last name without the words for a convolution and a normalisation."""
        return re.sub(r"conv|batch|norm|bn|w|[_\W]", "", self.name.rpartition(".")[2].lower())

    @property
    def parent(self) -> str:
        """The module that holds the layer."""
        return self.name.rpartition(".")[0]


@dataclass
class Unit:
    """A convolution, and the normalisation that follows it."""

    convolution: Layer
    normalisation: Layer | None = None

    @property
    def shape(self) -> Shape:
        """The convolution's weights' shape."""
        return self.convolution.shape


def convert(state: Mapping[str, Tensor], architecture: str) -> dict[str, Tensor]:
    """Return the weights and running statistics under the names of our network of this architecture.

    Parameters
    ----------
    state : mapping of str to Tensor
        As `state_dict()` gives it, in the order in which the layers were made.
    architecture : str
        One of `KNOWN`, of the published width.

    Returns
    -------
    dict of str to Tensor
        float32, what `load_state_dict` of our network takes.

    Raises
    ------
    UnknownLayersError
        When anything is missing, left over or not certain.
    """
    ours = build_network(architecture, in_channels=CHANNELS, seed=0)
    _check_count(state, ours, architecture)
    own = ours.state_dict()
    if {name: t.shape for name, t in state.items()} == {name: t.shape for name, t in own.items()}:
        return {name: state[name].to(tensor.dtype).contiguous() for name, tensor in own.items()}
    shapes = {
        name.removesuffix(".weight"): tuple(tensor.shape) for name, tensor in own.items() if tensor.ndim == 4
    }
    units = _paired(_layers(state))
    plain = [unit.convolution for unit in units if unit.normalisation is None]
    pairs = _stages(units, shapes) | _gates(units, shapes) | _pyramid(plain)
    for name in [*(f"decoder.{level}.up" for level in range(4)), "bottleneck.project", "head"]:
        pairs[name] = _only(plain, shapes[name], name)
    return _renamed(pairs, ours, units)


def count_weights(state: Mapping[str, Tensor]) -> int:
    """Return the number of trainable parameters, which running statistics are not."""
    return sum(t.numel() for name, t in state.items() if name.rsplit(".", 1)[-1] in CONVOLUTION_TENSORS)


def _check_count(state: Mapping[str, Tensor], ours: nn.Module, architecture: str) -> None:
    wanted, found = count_parameters(ours), count_weights(state)
    if wanted != found:
        raise UnknownLayersError(f"has {found:,} trainable parameters, the {architecture} has {wanted:,}")
    for name, tensor in state.items():
        if not torch.isfinite(tensor).all():
            raise UnknownLayersError(f"holds numbers that are not finite ({name})")


def _layers(state: Mapping[str, Tensor]) -> list[Layer]:
    layers: dict[str, Layer] = {}
    for full, tensor in state.items():
        name, _, last = full.rpartition(".")
        layers.setdefault(name, Layer(name)).tensors[last] = tensor
    for layer in layers.values():
        known = CONVOLUTION_TENSORS if len(layer.shape) == 4 else NORMALISATION_TENSORS
        if set(layer.tensors) - {BATCHES_TRACKED} != set(known):
            raise UnknownLayersError(f"its layer {layer.name} holds {', '.join(layer.tensors)}")
    return list(layers.values())


def _paired(layers: Iterable[Layer]) -> list[Unit]:
    """Give each normalisation to the convolution of its module that is named like it, else to the first one.

    Those that have one already, or are of another size, are passed over.
    """
    units: list[Unit] = []
    for layer in layers:
        if len(layer.shape) == 4:
            units.append(Unit(layer))
            continue
        bare = [
            u for u in units if u.normalisation is None and (u.shape[0], u.shape[2] % 2) == (*layer.shape, 1)
        ]
        same_module = [unit for unit in bare if unit.convolution.parent == layer.parent]
        same_tag = [unit for unit in same_module if unit.convolution.tag == layer.tag]
        if len(same_tag) == 1:
            same_tag[0].normalisation = layer
        elif same_module or len(bare) == 1:
            (same_module or bare)[0].normalisation = layer
        else:
            raise UnknownLayersError(f"does not tell which convolution its layer {layer.name} normalises")
    return units


def _stages(units: Iterable[Unit], shapes: Mapping[str, Shape]) -> dict[str, Layer]:
    """Find each stage's two convolutions: the first has a shape of its own, the second comes next."""
    double = [unit for unit in units if unit.normalisation and unit.shape[2:] == (3, 3)]
    stages = [f"encoder.{level}" for level in range(4)] + [f"decoder.{level}.conv" for level in range(4)]
    pairs: dict[str, Layer] = {}
    for stage in stages:
        wanted = [shapes[f"{stage}.{number}"] for number in (0, 3)]
        places = [place for place, unit in enumerate(double) if unit.shape == wanted[0]]
        two = double[places[0] : places[0] + 2] if len(places) == 1 else []
        if [unit.shape for unit in two] != wanted:
            raise UnknownLayersError(f"has no two convolutions one after the other that fit {stage}")
        for number, unit in zip((0, 3), two, strict=True):
            pairs |= _named(f"{stage}.{number}", f"{stage}.{number + 1}", unit)
    return pairs


def _gates(units: Iterable[Unit], shapes: Mapping[str, Shape]) -> dict[str, Layer]:
    """Match attention gates three convolutions at a time; within a gate their shapes differ."""
    points = [unit for unit in units if unit.normalisation and unit.shape[2:] == (1, 1)]
    gates: dict[str, dict[str, Shape]] = {}
    for name, shape in shapes.items():
        if ".gate." in name:
            gates.setdefault(name.rsplit(".", 2)[0], {})[name.removesuffix(".0")] = shape
    pairs: dict[str, Layer] = {}
    for three in (points[start : start + 3] for start in range(0, len(points), 3)):
        found = sorted(unit.shape for unit in three)
        gate = next((name for name, parts in gates.items() if sorted(parts.values()) == found), None)
        if gate is None:
            raise UnknownLayersError(
                f"its layer {three[0].convolution.name} begins no attention gate of three"
            )
        for name, shape in gates.pop(gate).items():
            fitting = next(unit for unit in three if unit.shape == shape)
            pairs |= _named(f"{name}.0", f"{name}.1", fitting)
    if gates:
        raise UnknownLayersError(f"has no attention gate that fits {min(gates)}")
    return pairs


def _pyramid(plain: list[Layer]) -> dict[str, Layer]:
    """Tell the bottleneck's branches apart, by rates or pooling in their names, or by their order."""
    dilated = [layer for layer in plain if layer.shape == (32, 32, 3, 3)]
    points = [layer for layer in plain if layer.shape == (32, 32, 1, 1)]
    if (len(dilated), len(points)) != (3, 2):
        raise UnknownLayersError(
            f"has {len(dilated)} dilated and {len(points)} plain branches of 32, not 3 and 2"
        )
    rates = [set(layer.numbers) & set(PUBLISHED_RATES) for layer in dilated]
    numbers = [layer.number for layer in dilated]
    if [len(of_one) for of_one in rates] == [1, 1, 1] and set.union(*rates) == set(PUBLISHED_RATES):
        dilated.sort(key=lambda layer: min(set(layer.numbers) & set(PUBLISHED_RATES)))
    elif numbers != sorted(numbers):
        unclear = ", ".join(layer.name for layer in dilated)
        raise UnknownLayersError(f"does not tell the dilations of {unclear}, whose numbers do not ascend")
    names = [f"bottleneck.branches.{number}" for number in range(4)] + ["bottleneck.image_pooling"]
    branch, pooled = _branch_and_pooled(points, plain.index(dilated[0]), plain)
    return dict(zip(names, [branch, *dilated, pooled], strict=True))


def _branch_and_pooled(points: list[Layer], dilated_at: int, plain: list[Layer]) -> tuple[Layer, Layer]:
    """Tell the plain branch from the one after the mean: by a name, or by their places around the dilated."""
    one, other = points
    is_pooling = [bool(POOLING.search(_own_name(layer, points))) for layer in points]
    if is_pooling == [True, False]:
        return other, one
    if is_pooling == [False, True] or (
        not any(is_pooling) and plain.index(one) < dilated_at < plain.index(other)
    ):
        return one, other
    raise UnknownLayersError(f"does not tell which of {one.name} and {other.name} follows the pooling")


def _own_name(layer: Layer, layers: list[Layer]) -> str:
    """Return what the name of a layer has beyond what the names of all have in common."""
    parts = [other.name.split(".") for other in layers]
    common = 0
    while all(len(p) > common and p[common] == parts[0][common] for p in parts):
        common += 1
    return ".".join(layer.name.split(".")[common:])


def _only(plain: list[Layer], shape: Shape, name: str) -> Layer:
    fitting = [layer for layer in plain if layer.shape == shape]
    if len(fitting) != 1:
        raise UnknownLayersError(f"has {len(fitting)} layers of the shape of {name}, {shape}, not one")
    return fitting[0]


def _named(convolution: str, normalisation: str, unit: Unit) -> dict[str, Layer]:
    assert unit.normalisation is not None
    return {convolution: unit.convolution, normalisation: unit.normalisation}


def _renamed(pairs: Mapping[str, Layer], ours: nn.Module, units: list[Unit]) -> dict[str, Tensor]:
    """Return our network's tensors, of which each is one of the others' and none of theirs is left."""
    layers = [layer for unit in units for layer in (unit.convolution, unit.normalisation) if layer]
    used = {layer.name for layer in pairs.values()}
    left = [layer.name for layer in layers if layer.name not in used]
    if left or len(used) < len(pairs):
        raise UnknownLayersError(
            f"holds layers that the network has not ({', '.join(left[:3]) or 'one twice'})"
        )
    renamed = {}
    for full, own in ours.state_dict().items():
        name, _, last = full.rpartition(".")
        if name not in pairs:
            raise UnknownLayersError(f"has no layer that fits {name}")
        found = pairs[name].tensors.get(last, torch.zeros_like(own) if last == BATCHES_TRACKED else None)
        if found is None or found.shape != own.shape:
            raise UnknownLayersError(f"its layer {pairs[name].name} does not fit {name}")
        renamed[full] = found.to(own.dtype).contiguous()
    return renamed
