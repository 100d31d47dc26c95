"""The studio in a real browser: asking, watching, reviewing, taking down; by keyboard alone; and when things go wrong."""

import json
import re
import tarfile
import time
from contextlib import contextmanager, suppress

import httpx2
import psycopg
import pytest
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import expect

from glad_pipeline_tests.acceptance.conftest import soon
from glad_pipeline_tests.web.conftest import SETTLED

expect.set_options(timeout=15_000)
HELD = 4_500  # milliseconds: more than a decision can be undone for
LOOKED = 7_000  # more than between two looks
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
ROOMS = {
    "generate": "What shall be drawn?",
    "queue": "Queue",
    "review": "Review",
    "pictures": "Pictures",
    "health": "Health",
}


@pytest.fixture(scope="module")
def key(site):
    return site.key()


@pytest.fixture(scope="module")
def desk(browser, site, key):
    """A browser in which somebody has signed in: it has loaded the scripts, too."""
    context = browser.new_context(viewport=DESKTOP)
    page = context.new_page()
    page.goto(f"{site.url}/studio/generate")
    sign_in(page, key)
    page.close()
    yield context
    context.close()


@pytest.fixture(scope="module")
def opened(browser, site, desk):
    """`with opened() as page:` a page of somebody who has signed in, in the browser of all who look in no way of their own.

    `with_key`: another one signs in. `is_timed`: the page's clock can be put on, by `page.clock`.
    """

    @contextmanager
    def opened(viewport=DESKTOP, path="/studio/generate", with_key=None, is_timed=False, **more):
        is_shared = viewport is DESKTOP and with_key is None and not is_timed and not more
        state = None if with_key else desk.storage_state()
        context = desk if is_shared else browser.new_context(viewport=viewport, storage_state=state, **more)
        page = context.new_page()
        page.set_default_timeout(20_000)
        faults = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: faults.append(said.text) if "Content Security Policy" in said.text else None)
        if is_timed:
            page.clock.install()
        page.goto(site.url + path)
        if with_key:
            sign_in(page, with_key)
        expect(page.get_by_role("navigation", name="Studio")).to_be_visible()
        try:
            yield page
            assert faults == []
        finally:
            if is_shared:
                context.set_offline(False)
                page.close()
            else:
                context.close()

    return opened


def sign_in(where, key):
    """On a page or in a dialog, until whoever has signed in sees that: what is asked for before may find nobody there."""
    where.get_by_label("API key").fill(key)
    where.get_by_role("button", name="Sign in").click()
    expect(where.get_by_label("API key")).to_be_hidden(timeout=60_000)


def end_session(site):
    """That of the newest key is over."""
    site.sql("DELETE FROM api_sessions WHERE key_id = (SELECT max(id) FROM api_keys)")


@contextmanager
def asking(page, part):
    """What the page asks for meanwhile, but to look, at addresses with this in them."""
    asked = []

    def note(request):
        if part in request.url and request.method != "GET":
            asked.append(request)

    page.on("request", note)
    yield asked
    page.remove_listener("request", note)


def ask(page, prompt, title):
    page.get_by_label("Prompt", exact=True).fill(prompt)
    page.get_by_label("Title").fill(title)
    page.get_by_role("button", name="Draw it").click()


def row_of(site, title):
    rows = site.sql("SELECT id, status, last_error FROM prompts WHERE title = %s ORDER BY id", title)
    assert len(rows) <= 1, rows
    return rows[0] if rows else None


def csv_of(number, name):
    lines = [f'"a heron number {n} in the reeds of {name}","{name} {n}",Herons,yes' for n in range(1, number + 1)]
    return "\n".join(["prompt,title,category,needs_approval", *lines]).encode()


PLACES = ("/", "/posts", "/categories/herons", "/feed.xml", "/feed.json", "/sitemap.xml")


def shown_at(site, path):
    """What a page has, with an end after each slug, so that `heron-1` is not found in `heron-10`."""
    answer = httpx2.get(site.url + path)
    assert answer.status_code == 200, (path, answer.status_code)
    parts = [answer.text, *(httpx2.get(each).text for each in re.findall(r"<loc>([^<]*/sitemaps/[^<]*)", answer.text))]
    return re.sub(r"[\"'\\<?&]|&amp;", "<", "".join(parts))


def upload(page, name, data):
    page.get_by_role("button", name="Upload a file").click()
    page.locator("dialog input[type=file]").set_input_files({"name": name, "mimeType": "text/csv", "buffer": data})


# ---- the day of an editor


@pytest.mark.parametrize(
    "viewport", [pytest.param(DESKTOP, id="desktop", marks=pytest.mark.deep), pytest.param(PHONE, id="phone")]
)
def test_a_picture_is_asked_for_watched_published_and_found_on_the_home_page(site, opened, viewport):
    title = f"Harbour at {viewport['width']}"
    with opened(viewport) as page:
        ask(page, f"a quiet harbour at dawn, {viewport['width']}", title)
        easel = page.get_by_role("region", name="Your picture")
        expect(easel.get_by_text(re.compile("in the queue"))).to_be_visible()
        site.run()
        expect(easel.get_by_role("status").get_by_text("Published")).to_be_visible()
        picture = easel.locator("figure img")
        expect(picture).to_be_visible()
        assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
        easel.get_by_role("link", name="Read the post").click()
        expect(page.get_by_role("heading", level=1, name=title)).to_be_visible()
        page.goto(site.url)
        expect(page.get_by_text(title).first).to_be_visible()


@pytest.mark.parametrize(
    "viewport", [pytest.param(DESKTOP, id="desktop"), pytest.param(PHONE, id="phone", marks=pytest.mark.deep)]
)
def test_twenty_are_uploaded_ten_approved_by_keyboard_and_one_taken_down(site, opened, viewport):
    name = f"Heron of {viewport['width']}"
    with opened(viewport, "/studio/queue") as page:
        upload(page, "herons.csv", csv_of(20, name))
        dialog = page.get_by_role("dialog", name="Upload prompts")
        expect(dialog.get_by_text("would be added")).to_be_visible()
        assert site.sql("SELECT count(*) AS n FROM prompts WHERE title LIKE %s", f"{name}%")[0]["n"] == 0
        dialog.get_by_role("button", name="Import 20 prompts").click()
        expect(page.get_by_text("20 prompts are in the queue now")).to_be_visible()
        site.run()
        page.goto(f"{site.url}/studio/review?prompt={row_of(site, f'{name} 1')['id']}")
        expect(page.get_by_role("heading", level=2, name=f"{name} 1", exact=True)).to_be_visible()
        for number in range(1, 11):
            expect(page.get_by_role("heading", level=2, name=f"{name} {number}", exact=True)).to_be_visible()
            page.keyboard.press("a")
        page.keyboard.press("j")
        page.keyboard.press("r")
        page.keyboard.type("six legs")
        page.keyboard.press("Enter")
        statement = "SELECT status, count(*) AS n FROM prompts WHERE title LIKE %s GROUP BY status"
        counts = {"generated": 10, "rejected": 1, "awaiting_approval": 9}
        soon(lambda: {row["status"]: row["n"] for row in site.sql(statement, f"{name} %")} == counts, seconds=15)
        site.run()
        [post] = site.sql("SELECT slug, featured_image_url FROM posts WHERE title = %s", f"{name} 3")
        slug, picture = post["slug"], post["featured_image_url"]
        assert httpx2.get(f"{site.url}/posts/{slug}").status_code == 200
        assert httpx2.get(picture).status_code == 200
        for path in PLACES:
            soon(lambda path=path: f"{slug}<" in shown_at(site, path), seconds=10)
        page.goto(f"{site.url}/studio/prompts/{row_of(site, f'{name} 3')['id']}")
        page.get_by_role("button", name="Take down").click()
        page.get_by_label("Reason").fill("the heron asked")
        page.get_by_role("button", name="Delete for good").click()
        expect(page.get_by_text("The picture is taken down.")).to_be_visible()
        told = page.get_by_role("dialog", name="Taken down")
        expect(told.get_by_text(re.compile("Others may still hold a copy"))).to_be_visible()
        with page.expect_response(
            re.compile(r"/studio/api/prompts/\d+$")
        ):  # it is asked for anew, and has no picture now
            page.evaluate("setInterval(() => window.dispatchEvent(new Event('focus')), 300)")  # it heeds one in 5 s
        expect(told.get_by_text(re.compile("Others may still hold a copy"))).to_be_visible()
        assert httpx2.get(f"{site.url}/posts/{slug}").status_code == 410
        until = time.monotonic() + 10
        for path in PLACES:
            soon(lambda path=path: f"{slug}<" not in shown_at(site, path), seconds=max(0.1, until - time.monotonic()))
        soon(lambda: httpx2.get(picture).status_code in (403, 404), seconds=max(0.1, until - time.monotonic()))


def test_a_drawn_picture_becomes_a_post_is_drawn_with_another_seed_or_put_aside(site, opened):
    with opened() as page:
        page.get_by_label("Prompt", exact=True).fill("a lone kite over a beach")
        page.get_by_role("radio", name="A picture only").check()
        page.get_by_role("button", name="Draw it").click()
        expect(page.get_by_text(re.compile("in the queue"))).to_be_visible()
        site.run()
        page.get_by_role("button", name="Draw another").click()
        soon(lambda: len(site.sql("SELECT DISTINCT seed FROM prompts WHERE prompt = 'a lone kite over a beach'")) == 2)
        site.run()
        page.get_by_role("button", name="Make a post of it").click()
        page.get_by_role("dialog").get_by_label("Title").fill("The kite")
        page.get_by_role("button", name="Publish", exact=True).click()
        soon(lambda: (row_of(site, "The kite") or {}).get("status") == "generated")


@pytest.fixture(scope="module")
def drawn(site):
    """What the tests of one picture look at, in one run: each has its own."""
    for title in ("Owl one", "Owl two", "Fox to keep", "Seal", "Walrus"):
        site.add(f"{title} in snow", title=title, needs_approval=True)
    site.add("a ferry on Friday", title="Due later", publish_at="2099-01-01T10:00Z")
    for number in (1, 2):
        site.add(f"BLANK {number}", title=f"Nothing {number}")
    site.add("Ibis in snow", title="Ibis", needs_approval=True)
    site.run()


@pytest.mark.usefixtures("drawn")
def test_of_two_reviewers_the_second_is_told(site, opened):
    prompt = row_of(site, "Owl one")["id"]
    with opened(path=f"/studio/review?prompt={prompt}", is_timed=True) as page:
        expect(page.get_by_role("heading", level=2, name="Owl one")).to_be_visible()
        other = httpx2.Client(headers={"Authorization": f"Bearer {site.key('review')}"})
        told = {"prompts": [{"id": prompt}], "reason": "too bright"}
        assert other.post(f"{site.gateway}/api/studio/review/reject", json=told).json()["meta"]["ok"] == 1
        page.keyboard.press("a")
        expect(page.get_by_role("heading", level=2, name="Owl one")).to_be_hidden()
        page.clock.fast_forward(HELD)
        expect(page.get_by_role("log").get_by_text(re.compile("Owl one: nothing was decided"))).to_be_visible()
        assert row_of(site, "Owl one")["status"] == "rejected"


@pytest.mark.usefixtures("drawn")
def test_a_decision_can_be_undone(site, opened):
    prompt = row_of(site, "Fox to keep")["id"]
    with opened(path=f"/studio/review?prompt={prompt}", is_timed=True) as page:
        fox = page.get_by_role("heading", level=2, name="Fox to keep")
        expect(fox).to_be_visible()
        with asking(page, "/review/") as asked:
            page.keyboard.press("a")
            expect(fox).to_be_hidden()
            page.keyboard.press("z")
            expect(fox).to_be_visible()
            page.clock.fast_forward(2 * HELD)
            page.get_by_role("button", name="Reject").click()
            expect(page.get_by_label("Why is it rejected?")).to_be_focused()
            page.keyboard.press("Escape")
            expect(page.get_by_role("group", name="Decide")).to_be_focused()
        assert asked == []
        assert row_of(site, "Fox to keep")["status"] == "awaiting_approval"
        page.keyboard.press("a")
        expect(fox).to_be_hidden()
        page.goto(f"{site.url}/studio/queue")  # leaving sends what is held
        soon(lambda: row_of(site, "Fox to keep")["status"] == "generated")


@pytest.mark.usefixtures("drawn")
def test_what_is_drawn_again_or_was_not_heard_is_on_the_desk_again(site, opened):
    seal, walrus = (row_of(site, title)["id"] for title in ("Seal", "Walrus"))
    with opened(path=f"/studio/review?prompt={seal}", is_timed=True) as page:
        strip = page.get_by_role("list", name="All that wait")
        expect(page.get_by_role("heading", level=2, name="Seal")).to_be_visible()
        page.keyboard.press("d")
        expect(page.get_by_role("heading", level=2, name="Walrus")).to_be_visible()
        page.route("**/review/approve", lambda route: route.abort())
        page.keyboard.press("a")
        expect(page.get_by_role("heading", level=2, name="Walrus")).to_be_hidden()
        page.clock.fast_forward(HELD)
        expect(page.get_by_role("log").get_by_text(re.compile("Walrus: The server cannot be reached"))).to_be_visible()
        page.unroute("**/review/approve")
        strip.get_by_role("button", name="Walrus", exact=True).click()
        expect(page.get_by_role("button", name="Approve")).to_be_enabled()
        soon(lambda: row_of(site, "Seal")["status"] == "pending")
        site.run()
        page.clock.fast_forward(10_000)  # between two looks
        strip.get_by_role("button", name="Seal", exact=True).click()
        page.get_by_role("button", name="Reject").click()
        expect(page.get_by_label("Why is it rejected?")).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.get_by_role("group", name="Decide")).to_be_focused()
        page.get_by_label("Single keys decide").uncheck()
        page.keyboard.press("a")
        page.get_by_role("button", name="Reject").click()
        page.get_by_role("button", name=re.compile("dull")).click()
        page.clock.fast_forward(HELD)
        soon(lambda: row_of(site, "Seal")["status"] == "rejected")
        page.goto(f"{site.url}/studio/review?prompt={seal}")
        expect(page.get_by_text(f"Number {seal} does not wait for review any more.")).to_be_visible()
    site.sql("UPDATE prompts SET status = 'rejected' WHERE id = %s", walrus)


@pytest.mark.usefixtures("drawn")
def test_what_is_found_after_the_last_decision_comes_onto_the_desk(site, opened):
    with opened(is_timed=True) as page:
        away = [True]  # the look from the beginning finds nothing
        page.route(
            re.compile(r"/review\?status(?!.*after=)"), lambda route: route.abort() if away else route.continue_()
        )
        page.goto(f"{site.url}/studio/review?prompt={row_of(site, 'Ibis')['id']}")
        ibis, approve = (
            page.get_by_role(role, name=name) for role, name in (("heading", "Ibis"), ("button", "Approve A"))
        )
        expect(ibis).to_be_visible()
        page.keyboard.press("a")
        expect(approve).to_be_hidden()  # it was the last that is known
        page.keyboard.press("z")
        expect(approve).to_be_enabled()
        page.keyboard.press("a")
        expect(approve).to_be_hidden()
        away.clear()
        page.clock.fast_forward(10_000)  # the next look
        expect(approve).to_be_enabled()
        expect(ibis).to_be_hidden()


@pytest.mark.usefixtures("drawn")
def test_another_picture_is_no_second_post_and_none_before_its_time(site, opened):
    with opened(path=f"/studio/prompts/{row_of(site, 'Due later')['id']}") as page:
        page.get_by_role("button", name="Draw another").click()
        rows = "SELECT needs_approval, publish_at FROM prompts WHERE title = 'Due later' ORDER BY id"
        soon(lambda: len(site.sql(rows)) == 2)
        first, second = site.sql(rows)
        assert second == {"needs_approval": True, "publish_at": first["publish_at"]}
    site.sql("UPDATE prompts SET status = 'cancelled' WHERE title = 'Due later' AND status = 'pending'")


@pytest.mark.usefixtures("drawn")
def test_failed_prompts_are_tried_again_together_and_the_queue_is_paused_with_a_reason(site, opened):
    with opened(path="/studio/queue") as page:
        page.get_by_role("group", name="States").get_by_role("button", name=re.compile("^Rejected")).click()
        page.get_by_label("Search").fill("BLANK")
        for number in (1, 2):
            page.get_by_label(f"Choose prompt {row_of(site, f'Nothing {number}')['id']}", exact=True).check()
        page.get_by_role("combobox", name="Priority").focus()
        with asking(page, "/studio/api/") as asked:
            page.keyboard.press("ArrowUp")
            page.get_by_role("button", name="Try again").click()
            expect(page.get_by_text("2 prompts changed.")).to_be_visible()
        assert len(asked) == 1, "a select that is walked through does nothing"
        statement = "SELECT DISTINCT priority FROM prompts WHERE prompt LIKE 'BLANK%%' ORDER BY 1"
        assert [row["priority"] for row in site.sql(statement)] == [0]
        assert row_of(site, "Nothing 1")["status"] == "pending"
        page.get_by_role("button", name="Pause", exact=True).press("Enter")
        dialog = page.get_by_role("dialog", name="Pause the queue")
        expect(dialog.get_by_label("Reason")).to_be_focused()
        page.keyboard.type("the roof leaks")
        page.context.set_offline(True)
        page.keyboard.press("Enter")
        expect(dialog.get_by_text("The server cannot be reached")).to_be_visible()
        page.context.set_offline(False)
        page.keyboard.press("Enter")
        expect(page.get_by_text("the roof leaks")).to_be_visible()
        page.get_by_role("button", name="Resume").click()
        expect(page.get_by_role("button", name="Pause", exact=True)).to_be_visible()
        assert site.sql("SELECT 1 FROM prompt_sources WHERE paused_since IS NOT NULL") == []
    site.sql("UPDATE prompts SET status = 'cancelled' WHERE prompt LIKE 'BLANK%%' AND status = 'pending'")


# ---- bad input


def test_wrong_rows_of_a_file_are_named_and_nothing_is_imported(site, opened):
    bad = b"prompt,title,width\na barn,Barn one,512\n,Barn two,512\na barn,Barn three,17\n"
    with opened(path="/studio/queue") as page:
        upload(page, "barns.csv", bad)
        dialog = page.get_by_role("dialog", name="Upload prompts")
        expect(dialog.get_by_text(re.compile("rows are wrong"))).to_be_visible()
        expect(dialog.get_by_text(re.compile("line 4"))).to_be_visible()
        dialog.get_by_role("button", name="Leave the wrong rows out").click()
        dialog.get_by_role("button", name="Import 1 prompt").click()
        expect(page.get_by_text("1 prompt is in the queue now")).to_be_visible()
        assert row_of(site, "Barn one") is not None
        assert row_of(site, "Barn three") is None


def test_columns_that_no_prompt_has_are_left_out_when_a_person_says_so(site, opened):
    notes = b"prompt,title,width,Mood,Note\na dovecote,Dovecote one,512,calm,x\na dovecote,Dovecote two,17,dull,x\n"
    with opened(viewport=PHONE, path="/studio/queue") as page:
        upload(page, "dovecotes.csv", notes)
        dialog = page.get_by_role("dialog", name="Upload prompts")
        leave = dialog.get_by_role("checkbox", name="Leave out 2 columns: Mood, Note")
        expect(dialog.get_by_text(re.compile("columns that are no fields: unknown 'Mood', 'Note'"))).to_be_visible()
        expect(leave).not_to_be_checked()
        expect(dialog.get_by_role("button", name=re.compile("Import"))).to_have_count(0)
        leave.focus()
        page.keyboard.press("Space")
        expect(dialog.get_by_text("1 row is wrong, so nothing would be imported")).to_be_visible()
        expect(dialog.get_by_text(re.compile("passed over: 'Mood', 'Note'"))).to_be_visible()
        page.keyboard.press("Space")
        expect(dialog.get_by_text(re.compile("columns that are no fields"))).to_be_visible()
        page.keyboard.press("Space")
        expect(leave).to_be_checked()
        dialog.get_by_role("button", name="Leave the wrong rows out").click()
        dialog.get_by_role("button", name="Import 1 prompt").click()
        expect(page.get_by_text("1 prompt is in the queue now")).to_be_visible()
        assert row_of(site, "Dovecote one") is not None
        assert row_of(site, "Dovecote two") is None
        records = b'{"prompt": "a dovecote", "title": "Dovecote three", "mood": 1}\n'
        upload(page, "dovecotes.jsonl", records)
        dialog.get_by_role("checkbox", name="Leave out the column mood").check()
        expect(dialog.get_by_role("button", name="Import 1 prompt")).to_be_visible()
        dialog.locator("input[type=file]").set_input_files({"name": "x.csv", "mimeType": "text/csv", "buffer": notes})
        expect(leave).not_to_be_checked()  # another file, another answer
        assert row_of(site, "Dovecote three") is None


def test_a_session_that_ends_in_mid_form_is_opened_again_and_nothing_is_lost(site, opened):
    key = site.key()
    with opened(with_key=key) as page:
        page.get_by_label("Title").fill("Typed before")
        end_session(site)
        page.get_by_label("Prompt", exact=True).fill("a bridge in fog")
        expect(page.get_by_text("Your session is over.")).to_be_visible()
        page.get_by_role("button", name="Draw it").click()
        dialog = page.get_by_role("dialog", name="Sign in again")
        expect(dialog).to_be_visible()
        assert row_of(site, "Typed before") is None
        sign_in(dialog, key)
        expect(dialog).to_be_hidden()
        soon(lambda: row_of(site, "Typed before") is not None)
        assert page.get_by_label("Title").input_value() == "Typed before"


def test_a_sign_in_that_was_declined_is_not_asked_for_again_by_itself(site, opened):
    key = site.key()
    with opened(path="/studio/queue", with_key=key, is_timed=True) as page:
        expect(page.get_by_role("heading", level=1, name="Queue")).to_be_visible()
        end_session(site)
        page.clock.fast_forward(LOOKED)
        dialog = page.get_by_role("dialog", name="Sign in again")
        expect(dialog).to_be_visible()
        expect(dialog.get_by_label("API key")).to_be_focused()
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        for _ in range(2):  # that it looks a second time shows that the first one has asked nobody for a key
            page.clock.fast_forward(LOOKED)
            with page.expect_response(lambda answer: answer.status == 401):
                page.evaluate("window.dispatchEvent(new Event('focus'))")
        expect(dialog).to_be_hidden()
        page.get_by_role("button", name="Sign in").click()
        sign_in(dialog, key)
        expect(page.get_by_text("Your session is over.")).to_be_hidden()


def test_a_time_that_is_none_is_told_and_signing_out_takes_the_draft_along(site, opened):
    with opened(with_key=site.key()) as page:
        draft = {"prompt": "a pier", "when": "time", "at": "202610-12-01T10:00"}
        page.evaluate("draft => sessionStorage.setItem('glad-studio-draft', JSON.stringify(draft))", draft)
        page.reload()
        expect(page.get_by_label("Prompt", exact=True)).to_have_value("a pier")
        page.get_by_role("button", name="Draw it").click()
        expect(page.get_by_text("Say when it is to be published: a date and a time.")).to_be_visible()
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_label("API key")).to_be_visible()
        assert page.evaluate("JSON.stringify(sessionStorage)") == "{}"


def test_signing_out_that_fails_is_told_above_a_dialog_and_can_be_tried_again(site, stack, opened):
    def sessions():
        return site.sql("SELECT 1 FROM api_sessions WHERE key_id = (SELECT max(id) FROM api_keys)")

    with opened(path="/studio/queue", with_key=site.key(), is_timed=True) as page:
        told = page.get_by_text(re.compile("You could not be signed out. The gateway does not answer"))
        with database_away(site, stack):
            page.get_by_role("button", name="Sign out").click()
            expect(told).to_be_visible()
        page.clock.fast_forward(LOOKED)
        expect(page.get_by_text(re.compile("What is shown may be old"))).to_be_hidden()
        assert len(sessions()) == 1
        page.get_by_role("button", name="Upload a file").click()
        dialog = page.get_by_role("dialog", name="Upload prompts")
        expect(told).to_be_visible()
        dialog.get_by_role("log").get_by_role("button", name="Close").click()  # fails where something lies above it
        expect(told).to_be_hidden()
        expect(dialog).to_be_visible()
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_label("API key")).to_be_visible()
        assert sessions() == []
        assert page.context.cookies() == []


def test_whoever_goes_on_while_the_sign_in_is_under_way_is_signed_in(site, browser, key):
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{site.url}/studio")
    with psycopg.connect(site.environment["DATABASE_URL"]) as connection:
        connection.execute("LOCK TABLE api_sessions")
        page.get_by_label("API key").fill(key)
        with page.expect_request("**/studio/api/session"):
            page.get_by_role("button", name="Sign in").click()
        page.goto(site.url)
        assert context.cookies() == []
    soon(context.cookies, seconds=30)
    page.goto(f"{site.url}/studio/health")
    expect(page.get_by_role("heading", level=1, name="Health")).to_be_visible()
    context.close()


def test_a_key_that_is_typed_before_the_scripts_have_come_is_not_lost(site, browser, key):
    context = browser.new_context()
    page = context.new_page()
    held, are_held = [], True
    page.route("**/*.js", lambda route: held.append(route) if are_held else route.continue_())
    page.goto(f"{site.url}/studio/queue", wait_until="commit")
    page.get_by_label("API key").fill(key)
    expect(page.get_by_role("button", name="Sign in")).to_be_disabled()
    page.keyboard.press("Enter")
    are_held = False
    for route in held:
        route.continue_()
    expect(page.get_by_role("button", name="Sign in")).to_be_enabled()
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1, name="Queue")).to_be_visible()
    context.close()


def test_two_presses_are_one_request(site, opened):
    with opened() as page:
        page.get_by_label("Prompt", exact=True).fill("a mill by a stream")
        page.get_by_label("Title").fill("Mill")
        with asking(page, "/studio/api/prompts") as asked:
            page.get_by_role("button", name="Draw it").dblclick()
            expect(
                page.get_by_role("region", name="Your picture").get_by_text(re.compile("in the queue"))
            ).to_be_visible()
        sent = [request.response().status for request in asked if request.url.endswith("/prompts")]
        assert sent, "it was asked for in another way"
        assert set(sent) <= {200, 201, 202}
        assert row_of(site, "Mill") is not None


def test_a_request_whose_answer_is_lost_is_asked_again_and_is_one_prompt(site, opened):
    with opened() as page:
        page.get_by_label("Prompt", exact=True).fill("a ferry at night")
        page.get_by_label("Title").fill("Ferry")

        def lose(route):
            route.fetch()
            route.abort()

        page.route("**/studio/api/prompts", lose)
        page.get_by_role("button", name="Draw it").click()
        expect(page.get_by_text(re.compile("cannot be reached"))).to_be_visible()
        first = row_of(site, "Ferry")["id"]
        page.unroute("**/studio/api/prompts")
        page.get_by_role("button", name="Draw it").click()
        expect(page.get_by_text("The same was asked for before: here it is.")).to_be_visible()
        assert row_of(site, "Ferry")["id"] == first


def test_offline_it_says_so_keeps_what_was_typed_and_goes_on_by_itself(site, opened):
    with opened() as page:
        page.get_by_label("Prompt", exact=True).fill("a lighthouse in a storm")
        page.get_by_label("Title").fill("Storm")
        page.context.set_offline(True)
        page.get_by_role("button", name="Draw it").click()
        expect(page.get_by_text(re.compile("You are offline"))).to_be_visible()
        page.context.set_offline(False)
        page.get_by_role("button", name="Draw it").click()
        soon(lambda: row_of(site, "Storm") is not None)
        expect(page.get_by_text(re.compile("You are offline"))).to_be_hidden()


@contextmanager
def database_away(site, stack):
    """Nobody can connect to the site's database."""
    name = site.environment["DATABASE_URL"].rpartition("/")[2]
    with psycopg.connect(stack["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        try:
            yield
        finally:
            connection.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true")


def test_while_the_gateway_cannot_answer_it_says_so_and_goes_on_by_itself(site, stack, opened):
    with opened(is_timed=True) as page:
        page.get_by_label("Prompt", exact=True).fill("a windmill in rain")
        page.get_by_label("Title").fill("Windmill")
        with database_away(site, stack):
            page.get_by_role("button", name="Draw it").click()
            expect(
                page.get_by_text(re.compile("The gateway does not answer. What is shown may be old"))
            ).to_be_visible()
            assert page.get_by_label("Title").input_value() == "Windmill"
        page.clock.fast_forward(LOOKED)
        expect(page.get_by_text(re.compile("What is shown may be old"))).to_be_hidden()
        page.get_by_role("button", name="Draw it").click()
        soon(lambda: row_of(site, "Windmill") is not None)


@pytest.mark.parametrize("room", ["generate", "queue", "pictures"])
def test_before_a_page_s_scripts_have_come_nothing_is_typed_that_they_would_take_away(opened, room):
    with opened(path=f"/studio/{room}", java_script_enabled=False) as page:
        controls = page.locator("main :is(input, textarea, select):visible")
        assert controls.count() > 0
        assert [each.is_enabled() for each in controls.all()] == [False] * controls.count()


def test_what_cannot_be_right_is_said_beside_the_field(site, opened):
    with opened() as page:
        page.get_by_role("button", name="Draw it").click()
        expect(page.get_by_text("Say what is to be drawn.")).to_be_visible()
        expect(page.get_by_label("Prompt", exact=True)).to_be_focused()
        page.get_by_label("Prompt", exact=True).fill("a hill")
        expect(page.get_by_text("Say what is to be drawn.")).to_be_hidden()
        page.get_by_label("Seed").fill("12345678901234567")  # a number of JavaScript has 15 digits that are sure
        page.get_by_role("radio", name="At a time").check()
        page.get_by_label("Date and time").fill("2001-01-01T10:00")
        page.get_by_role("button", name="Draw it").click()
        expect(page.get_by_text("A seed is a whole number from 0 on, of at most 15 digits.")).to_be_visible()
        expect(page.get_by_text("This time is over: choose a later one.")).to_be_visible()


# ---- everybody can use it


LOOKS = [
    pytest.param([(DESKTOP, "light"), (PHONE, "dark")], id="desktop-light-phone-dark"),
    pytest.param([(DESKTOP, "dark"), (PHONE, "light")], id="desktop-dark-phone-light", marks=pytest.mark.deep),
]


def assert_for_all(page, axe, looks, where):
    """The page as it is keeps nobody out, in any of these looks, and is no wider than the window."""
    page.evaluate(axe)
    for viewport, scheme in looks:
        page.set_viewport_size(viewport)
        page.emulate_media(color_scheme=scheme)
        page.evaluate(SETTLED)
        found = page.evaluate("axe.run({resultTypes: ['violations']})")["violations"]
        said = [(each["id"], [node["html"][:200] for node in each["nodes"][:3]]) for each in found]
        assert said == [], (where, viewport, scheme)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= viewport["width"], f"{where} is {width} pixels wide"


def enter(page, address, title):
    """One of the rooms, with all that it shows."""
    page.goto(address)
    expect(page.get_by_role("heading", level=1, name=title)).to_be_visible()
    page.wait_for_load_state("networkidle")


@pytest.fixture(scope="module")
def shown(site):
    """A prompt with a picture in each room."""
    site.add("a barn owl", title="An owl to look at", needs_approval=True)
    prompt = site.add("a tawny owl", title="An owl that is published")
    site.run()
    return prompt


@pytest.mark.parametrize("looks", LOOKS)
def test_no_page_keeps_anybody_out(site, opened, browser, axe, shown, looks):
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{site.url}/studio")
    expect(page.get_by_role("button", name="Sign in")).to_be_enabled()
    assert_for_all(page, axe, looks, "the sign-in")
    context.close()
    with opened() as page:
        for room, title in ROOMS.items():
            enter(page, f"{site.url}/studio/{room}", title)
            assert_for_all(page, axe, looks, room)
            if room == "review":
                page.keyboard.press("r")
                expect(page.get_by_label("Why is it rejected?")).to_be_focused()
                assert_for_all(page, axe, looks, "reasons")
        page.goto(f"{site.url}/studio/queue")
        upload(page, "owls.csv", b"prompt,Note\nan owl,x\n")
        expect(page.get_by_role("checkbox", name="Leave out the column Note")).to_be_visible()
        assert_for_all(page, axe, looks, "upload")
        page.goto(f"{site.url}/studio/pictures")
        page.get_by_label("Search").fill("owl")  # others may have drawn a page full since
        page.get_by_role("main").get_by_role("link", name="An owl that is published").click()
        expect(page.get_by_role("heading", level=1, name="An owl that is published")).to_be_visible()
        expect(page.get_by_role("button", name="Take down")).to_be_visible()
        assert_for_all(page, axe, looks, "lineage")
        page.get_by_role("button", name="Take down").click()
        expect(page.get_by_role("dialog")).to_be_visible()
        assert_for_all(page, axe, looks, "the dialog")


REACHABLE = """() => [...document.querySelectorAll(
    'main a[href], main button:not(:disabled), main input:not(:disabled), main select, main textarea, header a, header button')]
    .filter(each => each.checkVisibility() && !(each.type === 'radio' && !each.checked))
    .map(each => { each.dataset.reach = '1'; return each.outerHTML.slice(0, 120) }).length"""
REACHED = "document.addEventListener('focusin', event => delete event.target.dataset.reach)"
LEFT = "[...document.querySelectorAll('[data-reach]')].map(each => each.outerHTML.slice(0, 160))"


def rooms_and(prompt):
    """Address and title of each room, and of one picture."""
    return [*((f"/studio/{room}", title) for room, title in ROOMS.items()), (f"/studio/prompts/{prompt}", "")]


def test_the_keyboard_alone_signs_in_and_reaches_everything(site, browser, key, shown):
    context = browser.new_context(viewport=DESKTOP)
    page = context.new_page()
    page.goto(f"{site.url}/studio/queue")
    expect(page.get_by_label("API key")).to_be_focused()
    page.keyboard.type(key)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="Queue")).to_be_visible()
    for path, title in rooms_and(shown):
        enter(page, site.url + path, title)
        page.evaluate(REACHED)
        wanted = page.evaluate(REACHABLE)
        assert wanted > 7, path  # the head alone has so many
        for number in range(wanted + 40):
            page.keyboard.press("Tab")
            if number >= wanted - 1 and number % 5 == 0 and page.evaluate(LEFT) == []:
                break
        assert page.evaluate(LEFT) == [], path
    context.close()


# ---- secrets and strangers


def test_no_secret_reaches_the_browser(site, browser, key, shown):
    context = browser.new_context(viewport=DESKTOP)
    page = context.new_page()
    bodies = []
    page.on("response", lambda response: bodies.append(response) if "/events" not in response.url else None)
    page.goto(f"{site.url}/studio")
    sign_in(page, key)
    texts = []
    for path, title in [*rooms_and(shown), ("/", "")]:
        enter(page, site.url + path, title)
        for response in bodies:
            with suppress(PlaywrightError):  # a picture is no text, and the next page has thrown some answers away
                texts.append((response.url, response.text()))
        bodies.clear()
    cookies = context.cookies()
    assert len(cookies) == 1
    [cookie] = cookies
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Lax"
    kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
    secrets = [
        key,
        cookie["value"],
        site.environment["GLAD_REVALIDATE_SECRET"],
        site.environment["AWS_SECRET_ACCESS_KEY"],
    ]
    secrets += [json.loads(decoded(cookie["value"]))[name] for name in ("csrf", "cookie")]
    assert len(texts) > 15
    for secret in secrets:
        assert secret not in kept
        assert [url for url, text in texts if secret in text] == []
    context.close()


def test_no_file_that_a_browser_may_fetch_names_a_secret(archive):
    with tarfile.open(archive) as packed:
        files = [member for member in packed if "/static/" in f"/{member.name}" and member.name.endswith(".js")]
        assert len(files) > 10
        for name in (b"GLAD_REVALIDATE_SECRET", b"GLAD_API_URL", b"x-glad-site", b"x-csrf-token"):
            assert [each.name for each in files if name in packed.extractfile(each).read()] == [], name


def decoded(text):
    import base64

    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_only_pages_of_the_studio_with_a_session_reach_the_gateway_and_only_its_routes(site, key):
    own = {"origin": site.url, "x-glad-studio": "1"}
    client = httpx2.Client(base_url=f"{site.url}/studio/api")
    assert client.post("/session", json={"key": key}).status_code == 403, "without an origin"
    assert (
        client.post("/session", json={"key": key}, headers={**own, "origin": "http://evil.example"}).status_code == 403
    )
    assert client.post("/session", json={"key": key}, headers={"origin": site.url}).status_code == 403, (
        "without the header"
    )
    assert client.post("/session", json={"key": "glad_wrong"}, headers=own).status_code == 401
    assert client.post("/session", json={"key": key, "more": "x" * 2_000}, headers=own).status_code == 422
    assert client.get("/prompts").status_code == 401
    opened = client.post("/session", json={"key": key}, headers=own)
    assert opened.status_code == 200
    assert key not in opened.text
    assert client.get("/prompts").status_code == 200
    assert client.get("/prompts", headers={"sec-fetch-site": "same-site"}).status_code == 403
    assert client.post("/prompts", json={"prompt": "a hill"}).status_code == 403
    for path in ("/keys", "/../healthz", "/jobs/..%2fkeys", "/prompts/1/x", "/caller"):
        assert client.get(path).status_code == 404, path
    assert client.post("/keys", json={"name": "x", "scopes": ["admin"]}, headers=own).status_code == 404
    too_much = client.post("/prompts/import", content=b"x" * (8 * 2**20 + 1), headers=own)
    assert too_much.status_code == 413
    assert client.delete("/session", headers=own).status_code == 204
    assert client.get("/prompts").status_code == 401


def test_a_page_of_the_studio_cannot_be_framed_and_runs_no_script_of_others(site):
    answer = httpx2.get(f"{site.url}/studio")
    policy = answer.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "unsafe-inline" not in policy
    assert "unsafe-eval" not in policy
    assert "no-store" in answer.headers["cache-control"]
    assert 'name="robots" content="noindex' in answer.text


def test_a_key_that_may_only_look_is_told_what_it_may_not(site, opened, shown):
    waiting = row_of(site, "An owl to look at")["id"]
    with opened(path=f"/studio/review?prompt={waiting}", with_key=site.key("read")) as page:
        expect(page.get_by_role("heading", level=2, name="An owl to look at")).to_be_visible()
        expect(page.get_by_text(re.compile("may look, but not decide"))).to_be_visible()
        with asking(page, "/review/") as asked:
            page.keyboard.press("a")
            page.goto(f"{site.url}/studio/health")  # leaving sends what is held
            expect(page.get_by_text(re.compile("are for keys with the scope admin"))).to_be_visible()
        assert asked == []
        assert row_of(site, "An owl to look at")["status"] == "awaiting_approval"
        page.goto(f"{site.url}/studio/prompts/{shown}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.get_by_role("button", name="Take down")).to_have_count(0)
        page.goto(f"{site.url}/studio/generate")
        expect(page.get_by_text(re.compile("may look, but not ask for pictures"))).to_be_visible()
        expect(page.get_by_role("button", name="Draw it")).to_be_disabled()
    with opened(path=f"/studio/prompts/{waiting}", with_key=site.key("review")) as page:
        expect(page.get_by_role("button", name="Reproduce")).to_be_visible()
        expect(page.get_by_role("button", name="Take down")).to_have_count(0)  # there is no post to hide
        page.goto(f"{site.url}/studio/prompts/{shown}")
        expect(page.get_by_role("button", name="Take down")).to_be_visible()
