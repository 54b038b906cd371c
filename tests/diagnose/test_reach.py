from dataclasses import replace

import torch

from offline_envs.diagnose.diagnosis import dataset_steps
from offline_envs.diagnose.held_out import HeldOut
from offline_envs.diagnose.reach import Reach
from tests.toy import toy_transitions


def test_reach_counts_states_beyond_the_held_out_ones() -> None:
    """Data at 0, 1, …, 99; held-out states half-way between, so 0.5 is the radius; two of four are beyond."""
    data = torch.cat([torch.arange(100.0), torch.arange(100.0) + 0.5])[:, None]
    split = HeldOut(torch.arange(100, 199), torch.arange(100), None)
    points = torch.tensor([[3.2], [-0.4], [-2.0], [150.0]])
    steps = replace(dataset_steps(toy_transitions(), torch.arange(4)), time=torch.tensor([1, 1, 2, 2]))
    found = Reach.of(data, split, {"toy": steps}, {"toy": points}, n_data=1000)
    assert found.radius == 0.5
    assert found.outside == {"toy": 0.5}
    assert found.course["toy"].tolist() == [0, 1]
    assert found.rows() == [
        {"source": "toy", "step": 1, "share outside": 0},
        {"source": "toy", "step": 2, "share outside": 1},
    ]
