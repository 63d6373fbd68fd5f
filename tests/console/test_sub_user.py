"""A sub-user sees its own figures, and no trace of others: not on the page, and in no answer."""

from tests.console.conftest import Open
from tests.console.events import NAMES, user_ids
from tests.console.site import Project
from tests.console.test_figures import STATUSES, expected_rows

STREAM = "text/event-stream"


async def test_own_figures_alone(project: Project, sign_in: Open) -> None:
    """Totals are its own; names, ids and figures of others are nowhere in the document or what it was made of."""
    me, others = NAMES[0], NAMES[1:]
    screen = await sign_in({"range": "all"}, token=project.sub_user(user_ids(NAMES)[0], me))
    total = expected_rows(project, (None, None), user_ids(NAMES)[0])["Total"]
    await screen.comes_to(screen.figures, dict(zip(STATUSES, total, strict=True)))
    await screen.charts()
    texts = [await screen.page.content(), await screen.page.evaluate("document.body.innerText")]
    for answer in screen.visited.answers:
        if not answer.headers.get("content-type", "").startswith(STREAM):
            texts.append((await answer.body()).decode())
    everybody = project.oracle.answer(project.id)["total_input_size"]
    for text in texts:
        assert [name for name in (*others, *user_ids(NAMES)[1:]) if name in text] == []
        assert str(everybody) not in text.replace(",", "")
    assert await screen.page.get_by_role("combobox", name="User").count() == 0


async def test_address_of_an_administrator(project: Project, sign_in: Open) -> None:
    """A link that names another user shows nothing of that user."""
    screen = await sign_in({"range": "all", "user": NAMES[1]}, token=project.sub_user(user_ids(NAMES)[0], NAMES[0]))
    total = expected_rows(project, (None, None), user_ids(NAMES)[0])["Total"]
    await screen.comes_to(screen.figures, dict(zip(STATUSES, total, strict=True)))
    assert [url for url in screen.visited.asked if "user_name" in url and "v2.0" in url] == []
