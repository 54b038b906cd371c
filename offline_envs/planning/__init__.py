"""Planners: policies that look ahead in a learned MDP, on one base."""

from offline_envs.planning.gradient import GradientPlanner, GradientSettings, climb
from offline_envs.planning.ilqr.optimisation import optimise
from offline_envs.planning.ilqr.planner import ILQR, ILQRSettings
from offline_envs.planning.in_env import plan_in
from offline_envs.planning.objective import PROPAGATIONS, Objective, TerminalValue
from offline_envs.planning.planner import Decision, Planner
from offline_envs.planning.problem import Imagined, Problem, Trajectory, follow_plans, mean_model, roll_out
from offline_envs.planning.sampling.base import SamplingPlanner, best
from offline_envs.planning.sampling.cem import CEM, CEMSettings
from offline_envs.planning.sampling.coloured_noise import coloured
from offline_envs.planning.sampling.icem import ICEM, ICEMSettings
from offline_envs.planning.sampling.mbop import MBOP, MBOPSettings
from offline_envs.planning.sampling.mppi import MPPI, MPPISettings, weighted_mean
from offline_envs.planning.sampling.prior import Prior
from offline_envs.planning.sampling.random_shooting import RandomShooting, RandomShootingSettings
from offline_envs.planning.settings import PlannerSettings, SamplingSettings

__all__ = [
    "CEM",
    "ICEM",
    "ILQR",
    "MBOP",
    "MPPI",
    "PROPAGATIONS",
    "CEMSettings",
    "Decision",
    "GradientPlanner",
    "GradientSettings",
    "ICEMSettings",
    "ILQRSettings",
    "Imagined",
    "MBOPSettings",
    "MPPISettings",
    "Objective",
    "Planner",
    "PlannerSettings",
    "Prior",
    "Problem",
    "RandomShooting",
    "RandomShootingSettings",
    "SamplingPlanner",
    "SamplingSettings",
    "TerminalValue",
    "Trajectory",
    "best",
    "climb",
    "coloured",
    "follow_plans",
    "mean_model",
    "optimise",
    "plan_in",
    "roll_out",
    "weighted_mean",
]
