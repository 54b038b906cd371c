"""The learned MDP: one batched model step, and the parts that it is composed of."""
