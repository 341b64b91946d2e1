"""Plain, slow, obvious ways to compare networks and to silence their channels."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

# --- plain references -----------------------------------------------------------------------------


def spread(available: int, wanted: int) -> list[int]:
    """The published weight-selection formula: a stride if it divides, else round(linspace)."""
    if available % wanted == 0:
        return list(range(0, available, available // wanted))
    return torch.round(torch.linspace(0, available - 1, wanted)).long().tolist()


def positions(text: str) -> list[int]:
    """Positions as a plan writes them, read the naive way."""
    runs = [[int(n) for n in run.split(":")] for run in text.split(",") if run]
    return [i for run in runs for i in range(*run)]


def snapshot(network: nn.Module) -> dict[str, Tensor]:
    """Every parameter and buffer, the unsaved ones too, copied; by name, ties many times."""
    found = dict(network.named_parameters(remove_duplicate=False))
    found |= dict(network.named_buffers(remove_duplicate=False))
    return {name: tensor.detach().clone() for name, tensor in found.items()}


def bits(tensor: Tensor) -> bytes:
    """Every bit of a tensor, so that NaN equals NaN and -0 does not equal 0."""
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def same_bits(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(
        one[n].shape == other[n].shape
        and one[n].dtype == other[n].dtype
        and (torch.equal(one[n], other[n]) or bits(one[n]) == bits(other[n]))
        for n in one
    )


def differing(one: dict[str, Tensor], other: dict[str, Tensor]) -> list[str]:
    return [n for n in one if bits(one[n]) != bits(other[n])]


def saved(network: nn.Module) -> dict[str, Tensor]:
    """The live tensors of the state, ties once."""
    seen: set[int] = set()
    live = dict(network.named_parameters(remove_duplicate=False))
    live |= dict(network.named_buffers(remove_duplicate=False))
    result = {}
    for name in network.state_dict():
        if id(live[name]) not in seen:
            seen.add(id(live[name]))
            result[name] = live[name]
    return result


def outputs(network: nn.Module, shape: Iterable[int], items: int = 3) -> Tensor:
    """What a network says in evaluation about noise; its mode is put back."""
    inputs = torch.randn((items, *shape), generator=torch.Generator().manual_seed(99))
    modes = {module: module.training for module in network.modules()}
    dtype = next(network.parameters()).dtype
    with torch.no_grad():
        result = network.eval()(inputs.to(dtype))
    for module, mode in modes.items():
        module.training = mode
    return result


def scrambled(network: nn.Module, seed: int) -> nn.Module:
    """Give every element a value of its own, normalisation too; outputs stay of order one."""
    rng = torch.Generator().manual_seed(seed)

    def normal(tensor: Tensor, scale: float) -> None:
        tensor.copy_(torch.randn(tensor.shape, generator=rng) * scale)

    norms = {
        f"{name}.": module
        for name, module in network.named_modules()
        if hasattr(module, "running_mean") or isinstance(module, nn.GroupNorm | nn.LayerNorm)
    }
    with torch.no_grad():
        for name, tensor in saved(network).items():
            layer, _, last = name.rpartition(".")
            if not tensor.is_floating_point():
                tensor.fill_(bool(seed % 2) if tensor.dtype == torch.bool else 1000 + seed)
            elif last == "running_var" or (f"{layer}." in norms and last == "weight"):
                tensor.copy_(torch.rand(tensor.shape, generator=rng) + 0.5)
            elif tensor.dim() < 2:
                normal(tensor, 0.3)
            else:
                normal(tensor, (2 / max(1, tensor[0].numel())) ** 0.5)
    return network


def poisoned(network: nn.Module) -> nn.Module:
    """Make every element of the state a value that no source holds: NaN, or -7."""
    with torch.no_grad():
        for tensor in saved(network).values():
            if tensor.is_floating_point():
                tensor.fill_(float("nan"))
            elif tensor.dtype != torch.bool:
                tensor.fill_(-7)
    return network


def cured(tensor: Tensor) -> int:
    """Elements that are poison no longer [count]."""
    return int((~tensor.isnan() if tensor.is_floating_point() else tensor != -7).sum())


def blank(make: Callable[[], nn.Module]) -> nn.Module:
    """Build a network without spending time on its first weights, which are arbitrary."""
    with torch.device("meta"):
        network = make()
    return network.to_empty(device="cpu")


# --- decoding -------------------------------------------------------------------------------------


def coded(network: nn.Module) -> nn.Module:
    """Let every element of a matrix be 4096 * row + column, and of a vector its position."""
    with torch.no_grad():
        for tensor in saved(network).values():
            rows = tensor.reshape(tensor.shape[0] if tensor.dim() > 1 else 1, -1)
            code = torch.arange(rows.shape[0])[:, None] * 4096.0 + torch.arange(rows.shape[1])
            tensor.copy_(code.reshape(tensor.shape))
    return network


def decoded(tensor: Tensor) -> tuple[list[int], list[int]]:
    """Read which rows and columns of the source a matrix consists of."""
    rows, columns = (tensor // 4096).long(), (tensor % 4096).long()
    assert torch.equal(rows, rows[:, :1].expand_as(rows)), "a row is torn"
    assert torch.equal(columns, columns[:1].expand_as(columns)), "a column is torn"
    return rows[:, 0].tolist(), columns[0].tolist()


def heads_of(rows: list[int], width: int) -> list[int]:
    """Return the heads that rows belong to, which must be whole and in order."""
    heads = [rows[start] // width for start in range(0, len(rows), width)]
    assert rows == [width * head + i for head in heads for i in range(width)]
    return heads


# --- silencing ------------------------------------------------------------------------------------


def silence(network: nn.Module, kept: dict[str, list[int]]) -> nn.Module:
    """Make every channel outside ``kept`` (by module) zero wherever it is produced."""
    for name, module in network.named_modules():
        if name not in kept:
            continue
        axis = 1 if isinstance(module, nn.ConvTranspose2d) else 0
        tensors = [(module.weight, axis)] if getattr(module, "weight", None) is not None else []
        if getattr(module, "bias", None) is not None:
            tensors.append((module.bias, 0))
        if isinstance(module, nn.BatchNorm2d) and not module.affine:
            tensors.append((module.running_mean, 0))
        for tensor, along in tensors:
            silent = sorted(set(range(tensor.shape[along])) - set(kept[name]))
            with torch.no_grad():
                tensor.index_fill_(along, torch.tensor(silent, dtype=torch.long), 0)
    return network


def channels(module: nn.Module) -> int:
    """Channels that a layer puts out [count], 0 for what is not such a layer."""
    if isinstance(module, nn.ConvTranspose2d):
        return module.weight.shape[1]
    if isinstance(module, nn.Conv2d | nn.Linear):
        return module.weight.shape[0]
    return module.num_features if isinstance(module, nn.BatchNorm2d) else 0


def evenly(wide: nn.Module, narrow: nn.Module, head: str) -> dict[str, list[int]]:
    """Channels that the uniform rule keeps in each layer of ``wide``, where each is one group."""
    other = dict(narrow.named_modules())
    return {
        name: spread(channels(module), channels(other[name]))
        for name, module in wide.named_modules()
        if channels(module) and name != head
    }
