"""Seeds of real episodes, the same in every run, so that results differ by the policy alone."""

EVALUATION_SEED = 1_000
"""First seed of evaluation episodes, apart from those that training uses."""

FINAL_SEED = 2_000
"""First seed of the episodes that give the final score, which no evaluation before has seen."""
