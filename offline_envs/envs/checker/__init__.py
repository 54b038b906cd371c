"""A checker of vector environments, as Gymnasium's `check_env` is one of single environments."""
