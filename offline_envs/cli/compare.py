"""`offline-envs compare`: judge the policies of runs without the real environment, and choose one."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from offline_envs.cli.terminal.options import INTERRUPTED, given_once, parse_json, parse_settings

if TYPE_CHECKING:
    from offline_envs.compare import Comparison
    from offline_envs.evaluation.off_policy import Estimate

Runs = Annotated[list[Path], typer.Argument(help="Folders of runs of one dataset, or of their seeds.")]
Output = Annotated[Path, typer.Option(help="Folder for estimates, plot and figures.")]
Judge = Annotated[
    str | None,
    typer.Option(help="Folder of a fitted model that judges all policies, instead of each run's own."),
]
Estimators = Annotated[
    str | None,
    typer.Option(
        help="Estimators separated by commas: model, penalized, fqe, dr, wdr, is, pdis, wis, wpdis.",
        show_default="all",
    ),
]
Gamma = Annotated[
    float | None,
    typer.Option(help="Discount of all estimates but the model-based ones.", show_default="0.99"),
]
MoreJson = Annotated[
    str,
    typer.Option(
        "--settings",
        help="Other settings as JSON: environment, env_settings, episodes, horizon, bandwidth, behaviour, "
        'fitted_q, bootstrap, seed; e.g. \'{"env_settings": {"penalty_coef": 2.0}}\'.',
    ),
]


def compare(
    runs: Runs,
    output: Output = Path("comparison"),
    model: Judge = None,
    estimators: Estimators = None,
    gamma: Gamma = None,
    settings: MoreJson = "{}",
) -> None:
    """Estimate the return of each run's policy without the real environment, and say which each rule picks.

    Interrupt it with Ctrl-C; the same command resumes. With more runs it keeps the estimates that there are.
    """
    from offline_envs.compare import CompareSettings, compare_runs, write_comparison
    from offline_envs.files import moved_by, say

    given = given_once({"model": model, "gamma": gamma}, parse_json(settings, "--settings"), "--settings")
    chosen = parse_settings(CompareSettings, given, "--settings")
    names = None if estimators is None else [name.strip() for name in estimators.split(",")]
    try:
        with moved_by("--output"):
            found = compare_runs(runs, output, chosen, estimators=names, say=say)
            write_comparison(found, output)
    except KeyboardInterrupt:
        say(f"Interrupted. {output} is kept. Run the same command to resume.")
        raise typer.Exit(INTERRUPTED) from None
    console = Console()
    for table in (_policies(found), _estimates(found), _choices(found)):
        console.print(table)
    console.print(found.verdict, soft_wrap=True, markup=False)
    console.print(f"Figures and plot: {output}", soft_wrap=True, markup=False)


def _policies(found: "Comparison") -> Table:
    """What the numbers in the other tables stand for."""
    table = Table(title="Policies")
    for name in ("", "run", "policy"):
        table.add_column(name)
    table.add_column("real return", justify="right")
    for number, judged in enumerate(found.policies, start=1):
        names = judged.name, judged.policy_file.name
        table.add_row(str(number), *map(escape, names), _number(judged.real_return))
    return table


def _estimates(found: "Comparison") -> Table:
    """One row an estimator, one column a policy; under each row what is estimated, under all the weights."""
    table = Table(title="Estimated returns")
    table.add_column("estimator", style="bold")
    for number in range(1, len(found.policies) + 1):
        table.add_column(str(number), justify="right")
    each = [found.estimates[judged.name] for judged in found.policies]
    table.add_row("real return", *(_number(judged.real_return) for judged in found.policies))
    table.add_section()
    for name in dict.fromkeys(name for estimates in each for name in estimates):
        values = [estimates[name].value if name in estimates else None for estimates in each]
        table.add_row(name, *map(_number, values))
    table.add_section()
    table.add_row("effective episodes", *(_effective(estimates) for estimates in each))
    kinds = {name: e.estimates for estimates in each for name, e in estimates.items()}
    by_kind = {kind: [n for n, k in kinds.items() if k == kind] for kind in kinds.values()}
    table.caption = escape("; ".join(f"{', '.join(names)}: {kind}" for kind, names in by_kind.items()))
    return table


def _choices(found: "Comparison") -> Table:
    """One row a rule."""
    table = Table(title="Which policy each rule picks")
    for name in ("rule", "picks", "real return", "regret at 1", "regret at 5", "rank correlation"):
        table.add_column(name, justify="left" if name == "rule" else "right")
    numbers = {judged.name: str(n) for n, judged in enumerate(found.policies, start=1)}
    for choice in found.choices:
        picked = "-" if choice.picked is None else numbers[choice.picked]
        regrets = [_number(choice.regrets.get(k), "-") for k in (1, 5)]
        correlation = "-" if choice.correlation is None else f"{choice.correlation:.2f}"
        table.add_row(choice.rule, picked, _number(choice.real_return), *regrets, correlation)
    return table


def _effective(estimates: "Mapping[str, Estimate]") -> str:
    sizes = [e.effective_sample_size for e in estimates.values() if e.effective_sample_size is not None]
    return f"{sizes[0]:.1f}" if sizes else "-"


def _number(value: float | None, unknown: str = "?") -> str:
    if value is None:
        return unknown
    return f"{value:.0f}" if 100 <= abs(value) < 1e6 else f"{value:.3g}"
