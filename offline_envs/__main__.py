"""The command line as `python -m offline_envs`."""

from offline_envs.cli import main

if __name__ == "__main__":
    main()
