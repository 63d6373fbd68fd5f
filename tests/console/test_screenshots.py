"""The pictures of the README: made by a test when it is asked to, and there otherwise.

`python -m pytest tests/console/test_screenshots.py --write-screenshots` makes them anew, of the sample traffic. The
machine needs a font for Chinese.
"""

import re
from pathlib import Path

import pytest

from deploy.traffic.__main__ import SEED
from deploy.traffic.flow import Traffic
from deploy.traffic.population import PROJECTS
from service.events.event import JobDeletion, JobEvent, JobStatus
from tests.console.conftest import Open
from tests.console.site import Project, Site, present_ms

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "images"
SHOTS = {f"console-{scheme}.png": scheme for scheme in ("light", "dark")}
_MOST_BYTES = 150_000


async def sample_project(site: Site) -> Project:
    """The largest project of the sample traffic, up to now."""
    project = Project(site, PROJECTS[0].project_id)
    await project.apply(
        JobEvent(
            record.project_id,
            record.job_id,
            value.user_id,
            value.user_name,
            JobStatus[value.status],
            value.event_time,
            value.start_time,
            value.input_size,
            value.sequence,
        )
        if (value := record.value)
        else JobDeletion(record.project_id, record.job_id)
        for record in Traffic(SEED, present_ms()).history()
        if record.project_id == project.id
    )
    return project


async def test_pictures_are_made(site: Site, sign_in: Open, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Of both colour schemes; they are kept where it is asked for."""
    folder = IMAGES if request.config.getoption("--write-screenshots") else tmp_path
    project = await sample_project(site)
    for name, scheme in SHOTS.items():
        token = project.administrator(name="chen.wei")
        screen = await sign_in({"range": "30d"}, of=project, token=token, color_scheme=scheme)
        await screen.charts()
        await screen.page.screenshot(path=folder / name, animations="disabled")
        assert (folder / name).stat().st_size < _MOST_BYTES


@pytest.mark.parametrize("name", SHOTS)
def test_pictures_are_in_the_readme(name: str) -> None:
    """Each for its colour scheme, and light enough to be looked at on the way."""
    path = IMAGES / name
    assert path.stat().st_size < _MOST_BYTES
    assert re.search(rf'(srcset|src)="docs/images/{name}"', (ROOT / "README.md").read_text())
