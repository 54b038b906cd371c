from offline_envs.registration import TASKS
from offline_envs.tasks import known_tasks
from tests.cli.runner import succeed


def test_presets_are_listed_with_their_source() -> None:
    output = succeed("presets")
    assert "mopo/hopper-medium" in output
    assert "horizon=5" in output
    assert "Yu et al. 2020" in output
    assert "what differs" in output


def test_every_task_is_listed_with_its_environment() -> None:
    output = succeed("tasks")
    for name, (env_id, _) in TASKS.items():
        assert name in output
        assert env_id in output


def test_a_task_is_listed_with_all_that_one_needs_to_use_it() -> None:
    output = succeed("tasks")
    assert "min(vx, 3) - 0.1 |a|^2 + 15 z" in output
    assert "degrees=30.0, control_cost=0.5, survive_bonus=0.0" in output
    assert "MOPO 4140.6" in output
    assert "Yu et al. 2020" in output
    with_references = [task for task in known_tasks() if task.references]
    assert output.count("returns on the paper's data") == len(with_references)  # not of halfcheetah-velocity
