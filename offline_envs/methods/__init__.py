"""Ways to turn a model into an MDP: the plain model, the penalty, the halt, the adversary."""
