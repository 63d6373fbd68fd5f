"""What the first view weighs on the wire, the chart library with it."""

from urllib.parse import urlsplit

from tests.console.conftest import Open, Say
from tests.console.site import Project

_MOST_BYTES = 250 * 1024


async def test_first_view_is_light(project: Project, sign_in: Open, say: Say) -> None:
    """Every byte of a body that the browser received for it, as compressed; the answers of the API count too."""
    screen = await sign_in()
    await screen.charts()
    sizes: dict[str, int] = {}
    for answer in screen.visited.answers:
        path = urlsplit(answer.url).path
        if answer.url.startswith("http") and not path.endswith("/stream"):
            sizes[path] = sizes.get(path, 0) + (await answer.request.sizes())["responseBodySize"]
    total = sum(sizes.values())
    assert any("echarts" in path for path in sizes)
    heaviest = sorted(sizes.items(), key=lambda item: -item[1])[:3]
    said = ", ".join(f"{path.rsplit('/', 1)[-1]} {size / 1024:.1f}" for path, size in heaviest)
    say(f"the first view weighs {total / 1024:.1f} KiB compressed in {len(sizes)} files ({said})")
    assert total < _MOST_BYTES
