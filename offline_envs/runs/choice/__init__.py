"""How a run chooses its policy among those that it evaluates, without the real environment."""
