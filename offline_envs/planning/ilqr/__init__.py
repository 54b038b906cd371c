"""iLQR on the mean model: derivatives, backward pass, forward pass, and the planner."""
