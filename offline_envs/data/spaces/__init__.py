"""What the agent sees and what the model sees: discrete actions as one-hot numbers, and back."""
