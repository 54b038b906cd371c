"""`FastSAC`: Stable-Baselines3's SAC with a faster gradient step."""
