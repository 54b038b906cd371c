"""Any Gymnasium vector environment as a Stable-Baselines3 `VecEnv`."""
