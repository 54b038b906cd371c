import torch

from offline_envs.mdp import Step


def test_a_step_is_joined_from_its_slices() -> None:
    def part(n: int) -> Step:
        no, numbers = torch.zeros(n, dtype=torch.bool), torch.arange(n, dtype=torch.float32)
        step = Step.of_model(torch.ones(n, 2), numbers, no, no)
        return step._replace(extras={"score": numbers[:, None] + 10})

    whole = Step.concatenate(iter([part(2), part(3)]), 5)
    assert whole.reward.tolist() == [0, 1, 0, 1, 2]
    assert whole.next_obs.shape == (5, 2)
    assert whole.extras["score"].tolist() == [[10], [11], [10], [11], [12]]
    assert whole.truncated.tolist() == [False] * 5


def test_a_single_slice_is_handed_on_as_it_is() -> None:
    no = torch.zeros(3, dtype=torch.bool)
    step = Step.of_model(torch.ones(3, 2), torch.ones(3), no, no)
    assert Step.concatenate(iter([step]), 3) is step


def test_an_exploded_row_has_a_replaced_reward() -> None:
    exploded = torch.tensor([True, False])
    step = Step.of_model(torch.ones(2, 2), torch.ones(2), exploded, exploded)
    assert step.replaced.tolist() == [True, False]
    assert step.penalty.tolist() == [0.0, 0.0]
