"""Tables that the commands print."""

from collections.abc import Sequence

import numpy as np
from rich.markup import escape
from rich.table import Table

from offline_envs.data import ACTION_NAMES, Finding, Transitions, obs_names
from offline_envs.dynamics import DISAGREEMENTS, MAX_DISTANCE, RULES, DisagreementStats
from offline_envs.runs import SeedResults

BARS = " ▁▂▃▄▅▆▇█"
BINS = 24
QUANTILES = (0.5, 0.9, 0.99, 0.999)


def dataset_line(transitions: Transitions) -> str:
    """Origin, size and returns of a dataset, in one line."""
    returns = transitions.episode_returns
    return (
        f"{transitions.source}, {len(transitions):,} steps in {len(returns):,} episodes of "
        f"{transitions.env_id}, return {returns.mean():.1f} on average and {returns.max():.1f} at best"
    )


def dataset_table(transitions: Transitions) -> Table:
    """Shape, origin and returns of a dataset, with a histogram of the returns."""
    returns, lengths = transitions.episode_returns.numpy(), transitions.episode_lengths.numpy()
    ended = int(transitions.terminated.sum())
    counts, edges = np.histogram(returns, bins=BINS)
    bars = "".join(BARS[int(np.ceil(c / counts.max() * (len(BARS) - 1)))] for c in counts)
    table = Table(title=escape(transitions.source), show_header=False)
    table.add_column(style="bold")
    table.add_column()
    rows = {
        "environment": _environment(transitions),
        "steps": f"{len(transitions):,} in {len(returns):,} episodes",
        "observations": escape(f"{transitions.obs_dim} dimensions{_named_obs(transitions)}"),
        "actions": escape(_actions(transitions) + _named_actions(transitions)),
        "terminated": f"{ended:,} steps ({ended / len(transitions):.2%})",
        "episode length": f"mean {lengths.mean():.0f}, from {lengths.min()} to {lengths.max()}",
        "episode return": f"mean {returns.mean():.1f} ± {returns.std():.1f}, best {returns.max():.1f}",
        "returns": f"{edges[0]:.0f} [cyan]{bars}[/cyan] {edges[-1]:.0f}",
        "reward": f"from {float(transitions.rewards.min()):.2f} to {float(transitions.rewards.max()):.2f}",
        "infos": escape(", ".join(transitions.infos) or "none"),
        "fingerprint": transitions.fingerprint[:16],
    }
    for name, value in rows.items():
        table.add_row(name, value)
    return table


def _actions(transitions: "Transitions") -> str:
    if transitions.discrete_actions is not None:
        return f"{transitions.discrete_actions}, {transitions.action_dim} one-hot columns"
    return f"{transitions.action_dim} dimensions in {transitions.action_space}"


def health_table(findings: Sequence[Finding]) -> Table:
    """Every check of a dataset's health, and what it found."""
    table = Table(title="Data health", show_header=False)
    table.add_column(style="bold")
    table.add_column()
    for finding in findings:
        table.add_row(finding.check, "[green]ok[/green]" if finding.ok else escape(finding.problem))
    return table


def _named_obs(transitions: Transitions) -> str:
    known = [name for i, name in enumerate(obs_names(transitions)) if name != f"obs[{i}]"]
    return f": {', '.join(known)}" if known else ""


def _named_actions(transitions: Transitions) -> str:
    names = transitions.metadata.get(ACTION_NAMES)
    return f": {', '.join(map(str, names))}" if isinstance(names, list) else ""


def _environment(transitions: Transitions) -> str:
    if transitions.env_id is None:
        return "unknown (pass --env-id)"
    name = escape(transitions.env_id)
    if transitions.doubted_env_spec is not None:
        return f"{name}, not made as its metadata say (pass --env-id or --trust-dataset)"
    return name


def threshold_table(stats: DisagreementStats, disagreement: str = MAX_DISTANCE) -> Table:
    """Disagreement of a model's members on its dataset, and the thresholds that each rule derives from it."""
    formula = "" if disagreement == MAX_DISTANCE else f" {DISAGREEMENTS[disagreement].formula}"
    table = Table(title=escape(f"Disagreement{formula} of all members, in deviations of the data"))
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_column("unknown rows", justify="right")
    numbers = {"mean": stats.mean, "std": stats.std, "max": stats.max}
    numbers |= {f"{level:.1%} quantile": stats.quantile(level) for level in QUANTILES}
    for name, value in numbers.items():
        table.add_row(name, f"{value:.4g}")
    for name, rule in RULES.items():
        table.add_section()
        for value in rule.typical:
            threshold = rule.threshold(stats, value)
            beyond = f"{stats.share_above(threshold):.2%}"
            table.add_row(f'threshold {{"{name}": {value:g}}}', f"{threshold:.4g}", beyond)
    return table


def result_table(found: SeedResults, title: str) -> Table:
    """Final figures of runs, one column each, and over all seeds if there are several."""
    results = found.results
    table = Table(title=title)
    table.add_column("undiscounted return", style="bold")
    for result in results:
        table.add_column(f"seed {result.seed}", justify="right")
    if len(results) > 1:
        table.add_column("all seeds", justify="right")
    _add(table, "dataset: mean episode", [f"{r.dataset_mean:.0f}" for r in results], "")
    _add(table, "dataset: best episode", [f"{r.dataset_best:.0f}" for r in results], "")
    predicted = [r.predicted_return for r in results if r.predicted_return is not None]
    if predicted:
        _add(table, "predicted by the model", [f"{p:.0f}" for p in predicted], "")
    cells = [f"{r.real_return:.0f} ± {r.real_std:.0f}" for r in results]
    steps = [f"{r.chosen_step}" for r in results if r.chosen_step is not None]
    if steps:
        _add(table, f"gradient steps, chosen by {results[0].chosen_by}", steps, "")
    real, score = found.real_return, found.normalized_score
    _add(table, f"real, {results[0].n_episodes} episodes", cells, f"{real.mean:.0f} ± {real.std:.0f}")
    if score is not None:
        cells = [f"{r.normalized_score:.1f}" for r in results if r.normalized_score is not None]
        _add(table, "normalised score", cells, f"{score.mean:.1f} ± {score.std:.1f}")
    return table


def _add(table: Table, name: str, cells: Sequence[str], over_seeds: str) -> None:
    table.add_row(name, *cells, *([over_seeds] if len(cells) > 1 else []))
