"""The workspace of W&B that `brainseg dashboard` builds, with our three pictures as a run that it shows."""

import json
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from brainseg.compare.dashboard import RunSet
from brainseg.config.errors import UserError
from brainseg.files.plain import read_json
from brainseg.reporting.canvas import DPI

PICTURES = "dashboard"  # what the names of the pictures begin with, and the type of their run
VIEW = "brainseg"  # the workspace's name


def write_workspace(project: str, sets: Sequence[RunSet], saved: Path) -> str:
    """Build the workspace, or replace the one that `saved` names; gives its address.

    Args:
        project: USER/PROJECT or TEAM/PROJECT.
        sets: The runs, as W&B has them too.
        saved: A file that remembers the workspace.

    Raises:
        UserError: W&B, or the package for it, is not there, or W&B refuses.
    """
    entity, _, name = project.partition("/")
    if not entity or not name or "/" in name:
        raise UserError(f"--wandb takes ENTITY/PROJECT, a user or team and a project of it, got {project}")
    try:
        import wandb
        from wandb_workspaces import workspaces
    except ImportError as error:
        raise UserError(
            'brainseg dashboard --wandb needs wandb-workspaces; pip install "brainseg[dashboard]"'
        ) from error
    try:
        _show_pictures(entity, name, sets, saved.parent)
        workspace = workspaces.Workspace(entity=entity, project=name, name=VIEW, sections=_sections(sets))
        _recall(workspace, saved, project)
        workspace.save()
    except (wandb.errors.Error, ValueError, OSError) as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(f"W&B did not take the workspace {project}: {said}") from error
    _remember(workspace, saved, project)
    return str(workspace.url)


def _show_pictures(entity: str, project: str, sets: Sequence[RunSet], folder: Path) -> None:
    """A run of the type dashboard that holds the heat map, the boxes and the curves."""
    import wandb

    pictures = {
        f"{PICTURES}/{one.metric}/{name}": wandb.Image(_picture(figure), caption=f"{name} of {one.metric}")
        for one in sets
        for name, figure in one.figures().items()
    }
    with wandb.init(entity=entity, project=project, name=VIEW, job_type=PICTURES, dir=folder) as run:
        run.log(pictures)


def _picture(figure: Any) -> Image.Image:
    png = BytesIO()
    figure.savefig(png, format="png", dpi=DPI)
    return Image.open(png)


def _sections(sets: Sequence[RunSet]) -> list[Any]:
    """The workspace from top to bottom."""
    from wandb_workspaces import workspaces
    from wandb_workspaces.reports import v2 as panels

    def best(one: RunSet) -> Any:
        return panels.SummaryMetric(f"best/{one.metric}")

    x = "trainer/global_step"
    sections = []
    for one in sets:
        grid: list[Any] = [
            panels.MediaBrowser(
                media_keys=[f"{PICTURES}/{one.metric}/{name}" for name in ("heat map", "boxes", "curves")]
            ),
        ]
        if one.keys:
            columns = [*(panels.Config(key) for key in one.keys), best(one)]
            grid.append(
                panels.ParallelCoordinatesPlot(
                    columns=[panels.ParallelCoordinatesPlotColumn(metric=column) for column in columns],
                    title=f"best {one.metric} for each setting",
                )
            )
        grid += [
            panels.BarPlot(
                title=f"best {one.metric} by {key}",
                metrics=[f"best/{one.metric}"],
                groupby=panels.Config(key),
                groupby_aggfunc="mean",
                groupby_rangefunc="minmax",
            )
            for key in one.keys
        ]
        sections.append(workspaces.Section(name=f"Grid: {one.metric}", panels=grid, is_open=True))
    monitored = list(dict.fromkeys(one.metric for one in sets))
    curves: list[Any] = [
        panels.LinePlot(title=name, x=x, y=[name]) for name in (*monitored, "val/loss", "train/loss")
    ]
    steps = ("loss", "gradient_norm", "learning_rate", "samples_per_second")
    sections += [
        workspaces.Section(name="Curves", panels=curves, is_open=True),
        workspaces.Section(
            name="Steps", panels=[panels.LinePlot(title=name, x=x, y=[f"step/{name}"]) for name in steps]
        ),
        workspaces.Section(
            name="Worst and best cases", panels=[panels.MediaBrowser(media_keys=["panels"])], is_open=True
        ),
        workspaces.Section(
            name="Confusion", panels=[panels.MediaBrowser(media_keys=["test/confusion", "val/confusion"])]
        ),
    ]
    return sections


def _recall(workspace: Any, saved: Path, project: str) -> None:
    """Let a workspace replace the one that an earlier command saved for this project."""
    try:
        known = read_json(saved)
    except (OSError, UserError):
        return
    if known.get("project") == project:
        workspace._internal_name, workspace._internal_id = str(known["name"]), str(known["id"])


def _remember(workspace: Any, saved: Path, project: str) -> None:
    known = {"project": project, "name": workspace._internal_name, "id": workspace._internal_id}
    saved.write_text(json.dumps(known, indent=1) + "\n")
