"""Parameters stored in one vector, and Adam on all of them as one operation."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.optim import Adam
from torch.optim.adam import adam


class FlatParameters:
    """Parameters whose values are parts of one vector.

    To everyone else the parameters are unchanged: they are read, saved and loaded as before.

    Args:
        parameters: The parameters in order; of one dtype and device.

    Attributes:
        values: All values, `(n,)`.
        gradient: Memory for their gradient, `(n,)`.
    """

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        self.parameters = list(parameters)
        self.values = self.new_vector()
        self.gradient = self.new_vector()
        self._places = self.parts_of(self.values)
        self.gather()

    def new_vector(self) -> Tensor:
        """Make a vector of zeros with an entry for each value."""
        return self.parameters[0].detach().new_zeros(sum(p.numel() for p in self.parameters))

    def parts_of(self, vector: Tensor) -> list[Tensor]:
        """View a vector like `values` as one tensor a parameter, in its shape."""
        sizes = [parameter.numel() for parameter in self.parameters]
        parts = torch.split(vector, sizes)
        return [part.view(p.shape) for part, p in zip(parts, self.parameters, strict=True)]

    def gather(self) -> None:
        """Copy back into the vector parameters that got other memory since, e.g. by loading a file."""
        for parameter, place in zip(self.parameters, self._places, strict=True):
            if parameter.data_ptr() != place.data_ptr():
                place.copy_(parameter.data)
                parameter.data = place


class FlatAdam:
    """A `torch.optim.Adam` of parameters in one vector, whose update is one operation.

    It shares the state of the optimizer, which is saved and loaded as if it had taken the steps itself.

    Args:
        optimizer: The optimizer, with one group.
        flat: All of its parameters.
    """

    def __init__(self, optimizer: Adam, flat: FlatParameters) -> None:
        self.optimizer = optimizer
        self.flat = flat
        self._moments = {"exp_avg": flat.new_vector(), "exp_avg_sq": flat.new_vector()}
        self._places = {name: flat.parts_of(moment) for name, moment in self._moments.items()}
        device = flat.values.device
        # The dtypes that Adam's kernels read.
        self._n_steps = torch.zeros((), dtype=torch.float32, device=device)
        lr_dtype = torch.float64 if device.type == "cpu" else torch.float32
        self._lr = torch.zeros((), dtype=lr_dtype, device=device)

    def gather(self) -> None:
        """Read values, moments, number of steps and learning rate from the optimizer."""
        self.flat.gather()
        for index, parameter in enumerate(self.flat.parameters):
            state = self.optimizer.state[parameter]
            if not state:  # no step yet
                state["step"] = torch.tensor(0.0)
                state.update({name: torch.zeros_like(parameter) for name in self._moments})
            for name, places in self._places.items():
                if state[name].data_ptr() != places[index].data_ptr():
                    places[index].copy_(state[name])
                    state[name] = places[index]
        self._n_steps.fill_(float(state["step"]))
        self._lr.fill_(self.optimizer.param_groups[0]["lr"])

    def update(self) -> None:
        """Take one step along `flat.gradient`."""
        group = self.optimizer.param_groups[0]
        adam(
            [self.flat.values],
            [self.flat.gradient],
            [self._moments["exp_avg"]],
            [self._moments["exp_avg_sq"]],
            [],
            [self._n_steps],
            fused=True,
            amsgrad=False,
            maximize=False,
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            lr=self._lr,
            weight_decay=group["weight_decay"],
            eps=group["eps"],
        )

    def count(self, n_steps: int) -> None:
        """Tell the optimizer how many updates were taken since `gather`."""
        for parameter in self.flat.parameters:
            state = self.optimizer.state[parameter]
            state["step"] = state["step"] + n_steps  # a new tensor: after a load the old one may be shared
