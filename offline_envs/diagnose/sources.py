"""Names of the sets of steps that a report compares."""

DATASET = "dataset steps"
HELD_OUT = "held-out steps"
SEEN = "steps that the fit may have seen"
POLICY = "imagined policy steps"
UNIFORM = "imagined random steps"
REAL = "real policy steps"
