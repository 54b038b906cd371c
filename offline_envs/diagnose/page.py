"""The report as one HTML page with its plots embedded."""

import base64
from collections.abc import Mapping, Sequence
from html import escape
from string import Template

from offline_envs.diagnose.base import Advice, Chapter
from offline_envs.diagnose.diagnosis import Diagnosis

PAGE = Template("""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>$title</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; color: #222;
  max-width: 70rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0 }
th, td { text-align: left; vertical-align: top; padding: .4rem .8rem .4rem 0; border-bottom: 1px solid #ddd }
td:nth-child(2) { font-weight: 600; min-width: 12rem }
.warning td:nth-child(2) { color: #b00020 }
img { max-width: 100% }
h2 { margin-top: 2.5rem }
.note { color: #555 }
</style>
<h1>$title</h1>
<p class="note">$about</p>
<h2>Advice</h2>
<table>
<tr><th>about</th><th>advice</th><th>figures</th></tr>
$advice
</table>
$notes
$chapters
<h2>Reasons for the advice</h2>
<table>
<tr><th>about</th><th>advice</th><th>because</th></tr>
$reasons
</table>
</html>
""")


def page(
    found: Diagnosis, advice: Sequence[Advice], chapters: Sequence[Chapter], plots: Mapping[str, bytes]
) -> str:
    """Write the page.

    Args:
        found: The diagnosis.
        advice: Every piece of advice.
        chapters: Every chapter.
        plots: PNG file of each chapter by its name.
    """
    return PAGE.substitute(
        title=escape(f"Diagnosis of a model of {found.evidence.transitions.source}"),
        about=escape(about(found)),
        advice="\n".join(_advice_row(a, a.figures) for a in advice),
        reasons="\n".join(_advice_row(a, a.why) for a in advice),
        notes="\n".join(f'<p class="note">{escape(note)}</p>' for note in found.notes),
        chapters="\n".join(_chapter(chapter, plots[chapter.name]) for chapter in chapters),
    )


def about(found: Diagnosis) -> str:
    """Summary of data, model and sizes, in a few sentences."""
    evidence = found.evidence
    transitions, settings, real = evidence.transitions, evidence.settings, evidence.real
    sentences = [
        f"{len(transitions):,} steps of {transitions.env_id or 'an unnamed environment'}, "
        f"{transitions.obs_dim} observation and {transitions.action_dim} action dimensions.",
        f"Calibration on {len(evidence.steps[evidence.holdout.name]):,} held-out steps; "
        f"{settings.rollouts} imagined episodes; "
        f"{settings.starts} states followed for {settings.horizon} steps; seed {settings.seed}.",
    ]
    if real is not None:
        sentences.append(
            f"The policy's real return is {real.mean:.1f} ± {real.std:.1f} over {len(real.returns)} episodes."
        )
    return " ".join(sentences)


def _advice_row(advice: Advice, because: str) -> str:
    kind = ' class="warning"' if advice.warning else ""
    return (
        f"<tr{kind}><td>{escape(advice.topic)}</td><td>{escape(advice.value)}</td>"
        f"<td>{escape(because)}</td></tr>"
    )


def _chapter(chapter: Chapter, plot: bytes) -> str:
    data = base64.b64encode(plot).decode()
    return (
        f"<h2>{escape(chapter.title)}</h2>\n<p>{escape(chapter.text)}</p>\n"
        f'<img alt="{escape(chapter.title)}" src="data:image/png;base64,{data}">\n'
        f'<p class="note">Figures: {chapter.name}.csv</p>'
    )
