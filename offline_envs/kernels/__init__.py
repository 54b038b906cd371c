"""Fast building blocks of tensor code: matrix products, CUDA graphs, rounding, and stacked networks."""
