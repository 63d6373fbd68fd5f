"""What a screen reader is told of figures that change by themselves."""

from playwright.async_api import Browser, expect

from tests.browser import visit
from tests.console.stub_stream import stub_service

_MADE = """async () => {
  await import("/app/parts/live_summary.js");
  const summary = document.createElement("console-summary");
  const format = { t: key => key.replace("status.", ""), number: String };
  const none = { launching: 0, running: 0, canceling: 0, failed: 0, finished: 0, cancelled: 0 };
  window.tell = (counts, question = "") => { summary.told = { counts: { ...none, ...counts }, question, format }; };
  document.body.append(summary);
}"""


async def test_it_is_told_what_has_changed_twice_a_minute_at_most(browser: Browser) -> None:
    """At once, then after a rest what has changed meanwhile; nothing of another question, nor of what came back."""
    async with stub_service() as service, visit(browser, service.origin) as visited:
        page = visited.page
        await page.clock.install(time=0)
        await page.clock.pause_at(60_000)
        await page.evaluate(_MADE)
        summary = page.locator("console-summary")
        await page.evaluate("tell({ running: 1 })")
        await page.clock.run_for(1)
        await expect(summary).to_be_empty()
        await page.evaluate("tell({ running: 2, failed: 1 })")
        await page.clock.run_for(1)
        await expect(summary).to_have_text("running 2, failed 1")
        await page.evaluate("tell({ running: 3, failed: 1 }); tell({ running: 4, failed: 1 })")
        await page.clock.run_for(29_998)
        await expect(summary).to_have_text("running 2, failed 1")
        await page.clock.run_for(2)
        await expect(summary).to_have_text("running 4")
        await page.evaluate("tell({ running: 9 }, 'another range')")
        await page.clock.run_for(60_000)
        await expect(summary).to_have_text("running 4")
        assert visited.console == []
