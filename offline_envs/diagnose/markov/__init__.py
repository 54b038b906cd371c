"""Do observations show the whole state?"""

from offline_envs.diagnose.markov.report import MarkovReport

__all__ = ["MarkovReport"]
