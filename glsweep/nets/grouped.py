"""Several networks of one kind as a single one: every layer works in groups, one for each network."""

import operator
from collections.abc import Callable, Sequence
from copy import copy, deepcopy

import torch
from torch import Tensor, fx, nn

from glsweep.nets import give_heads
from glsweep.nets.cpu import concatenated, doubled
from glsweep.nets.unet import check_size

# Functions of this package that are not traced, since they depend on what only a tensor knows.
NOT_TRACED = (check_size, doubled)
# What works channel by channel does for several networks what it does for one.
CHANNELWISE_LAYERS = (nn.ReLU, nn.MaxPool2d)
CHANNELWISE_FUNCTIONS = (*NOT_TRACED, operator.add)
CHANNELWISE_METHODS = ("relu", "sigmoid", "mean", "expand_as")


def group(networks: Sequence[nn.Module]) -> nn.Module:
    """Return one network that does what `networks` do, each on channels of its own.

    The first is traced, and each of its layers replaced by one with as many groups as there are
    networks; so nothing passes from one network to another. Weights and running statistics are
    copies, which `ungroup` brings back.

    Parameters
    ----------
    networks : sequence of nn.Module
        K networks of one architecture and width, on one device and in one mode.

    Returns
    -------
    nn.Module
        Maps (N, K C, H, W), in which the channels of a network lie side by side, to a tuple of heads
        (N, K, H, W). Its tensors have the networks' names, and hold theirs as `join` does.

    Raises
    ------
    TypeError
        When the networks do something that is not known to work in groups.
    """
    first, count = networks[0], len(networks)
    graph = _Tracer(autowrap_functions=(*NOT_TRACED, concatenated)).trace(first)
    layers: dict[str, nn.Module] = {}
    for node in graph.nodes:
        if node.op == "call_module":
            same = [network.get_submodule(node.target) for network in networks]
            layers[node.target] = _grouped_layer(same)
        elif node.op in ("call_function", "call_method"):
            _regroup(node, count)
    grouped = fx.GraphModule(layers, graph).train(first.training)
    give_heads(grouped)
    return grouped


def can_group(networks: Sequence[nn.Module], shape: tuple[int, int]) -> bool:
    """Return whether `group` is known to do for these networks what each does alone.

    A network of the user's own may do anything, so it is tried: heads, gradients and running statistics must
    agree, in double precision, with those of each network alone.

    Parameters
    ----------
    networks : sequence of nn.Module
        See `group`; left as they are.
    shape : (int, int)
        Channels of an input, and its side in pixels.
    """
    channels, size_px = shape
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(
        len(networks), 2, channels, size_px, size_px, generator=generator, dtype=torch.float64
    )
    try:
        return _is_the_same_grouped([deepcopy(network).double().train() for network in networks], images)
    except Exception:  # noqa: BLE001  an own network may raise anything when it is traced
        return False


def _is_the_same_grouped(alone: Sequence[nn.Module], images: Tensor) -> bool:
    """Pass an image (N, C, H, W) through each network, and all through the group of them."""
    together = [deepcopy(network) for network in alone]
    grouped = group(together)
    heads = grouped(torch.cat(list(images), dim=1))
    torch.stack([head.square().sum() for head in heads]).sum().backward()
    ungroup(grouped, together)
    pairs: list[tuple[Tensor | None, Tensor | None]] = []
    for place, (network, image) in enumerate(zip(alone, images, strict=True)):
        own = network(image)
        torch.stack([head.square().sum() for head in own]).sum().backward()
        pairs += [(ours[:, place, None], theirs) for ours, theirs in zip(heads, own, strict=True)]
        for name, parameter in network.named_parameters():
            slopes = grouped.get_parameter(name).grad
            pairs.append((None if slopes is None else slopes.chunk(len(alone))[place], parameter.grad))
        buffers = dict(together[place].named_buffers())
        pairs += [(buffers[name].double(), buffer.double()) for name, buffer in network.named_buffers()]
    # A slope of 0, as before a normalisation, is one only up to rounding.
    return all(
        one is not None and other is not None and torch.allclose(one, other, rtol=1e-6, atol=1e-8)
        for one, other in pairs
    )


def ungroup(grouped: nn.Module, networks: Sequence[nn.Module]) -> None:
    """Set weights and running statistics of `networks` to those of the network that `group` made of them."""
    joined = grouped.state_dict()
    for place, network in enumerate(networks):
        for name, tensor in network.state_dict().items():
            tensor.copy_(joined[name].chunk(len(networks))[place].view_as(tensor))


def join(tensors: Sequence[Tensor]) -> Tensor:
    """Put a tensor that each network has one after the other, along the first axis; scalars in a row."""
    return torch.cat([torch.atleast_1d(tensor.detach()) for tensor in tensors])


class _Tracer(fx.Tracer):
    """Looks into whatever has layers, and into no layer."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return next(m.children(), None) is None


def _grouped_layer(layers: Sequence[nn.Module]) -> nn.Module:
    first, count = layers[0], len(layers)
    if isinstance(first, CHANNELWISE_LAYERS):
        return copy(first)
    # On no device, so that no weights are drawn: there are some.
    with torch.device("meta"):
        grouped = _layer_in_groups(first, count)
    for name, _ in first.named_parameters():
        setattr(grouped, name, nn.Parameter(join([getattr(layer, name) for layer in layers])))
    for name, _ in first.named_buffers():
        setattr(grouped, name, join([getattr(layer, name) for layer in layers]))
    return grouped


def _layer_in_groups(layer: nn.Module, count: int) -> nn.Module:
    match layer:
        case nn.Conv2d() | nn.ConvTranspose2d():
            return type(layer)(
                count * layer.in_channels,
                count * layer.out_channels,
                layer.kernel_size,  # type: ignore[arg-type]  # any length, says torch
                stride=layer.stride,  # type: ignore[arg-type]
                padding=layer.padding,  # type: ignore[arg-type]
                dilation=layer.dilation,  # type: ignore[arg-type]
                groups=count * layer.groups,
                bias=layer.bias is not None,
            )
        case nn.BatchNorm2d():
            return type(layer)(count * layer.num_features, eps=layer.eps, momentum=layer.momentum)
    raise TypeError(f"{type(layer).__name__} is not known to work in groups; see glsweep/nets/grouped.py")


def _regroup(node: fx.Node, count: int) -> None:
    """Let what mixes channels do so within each network."""
    if node.target in MIXING:
        node.target, node.kwargs = MIXING[node.target], {**node.kwargs, "networks": count}
    elif node.target not in (*CHANNELWISE_FUNCTIONS, *CHANNELWISE_METHODS):
        raise TypeError(f"{node.target} is not known to work in groups; see glsweep/nets/grouped.py")


def _multiplied(features: Tensor, coefficient: Tensor, *, networks: int) -> Tensor:
    """Multiply (N, K C, H, W) with (N, K C', H, W); 1 channel is one for all of the same network."""
    left, right = (tensor.unflatten(1, (networks, -1)) for tensor in (features, coefficient))
    product: Tensor = (left * right).flatten(1, 2)
    return product


MIXING: dict[object, Callable[..., Tensor]] = {concatenated: concatenated, operator.mul: _multiplied}
