"""A Gaussian process as a dynamics model: kernel, posterior, marginal likelihood and fit."""
