"""The blog as a reader, a search engine and a feed reader see it: in a real browser, and over plain HTTP."""

from __future__ import annotations

import gzip
import itertools
import json
import re
import socket
import threading
import time
import xml.etree.ElementTree as ET
from contextlib import closing, contextmanager, suppress
from urllib.parse import quote, urlsplit

import httpx2
import pytest

from glad_pipeline.local.home import Home
from glad_pipeline_tests.acceptance.conftest import soon
from glad_pipeline_tests.web.conftest import SETTLED
from glad_pipeline_tests.web.site import SECRET, free_port, running

MARKDOWN = (
    """# First heading

Words with *emphasis* and a [link](https://example.com/).

| name | count |
|:--|--:|
| harbour | 12 |

| another | table |
|--|--|
| [ours](/about) | 1 |

> A quotation.

```
code that is wider than a phone """
    + "x" * 200
    + """
```

<script>window.ran = 1</script><img src="x" onerror="window.ran = 2"><a href="javascript:window.ran = 3">here</a>
<iframe src="https://elsewhere.example"></iframe><p style="color: red" onclick="window.ran = 4" id="content">styled</p>
<form action="https://elsewhere.example"><input name="a"></form><svg onload="window.ran = 5"></svg>
<style>body { display: none }</style><base href="https://elsewhere.example/"><meta http-equiv="refresh" content="0;url=/">

![a picture that is not ours](https://elsewhere.example/spy.png)
"""
)
LONG = "A" * 255
RTL = "مرفأ هادئ عند الفجر"
UGLY = {
    "long": {"title": LONG, "excerpt": "Supercalifragilistic" * 12, "content": "x" * 3000},
    "rtl": {"title": RTL, "author": "ليلى حداد", "content": "كان الصباح هادئا.\n\n> اقتباس\n\n1. واحد"},
    "emoji": {"title": "🌊🌅🚤", "content": "🌅"},
    "markup": {"title": '<b>Bold</b> & "quotes" </script><script>window.ran = 6</script>', "content": "a"},
    "rich": {"title": "Everything that markdown has", "content": MARKDOWN},
    "large": {"title": "One megabyte", "content": "Lorem *ipsum* dolor sit amet. " * 33_000 + "\n\n" + f"{RTL} " * 400},
}
WIDTHS = (390, 820, 1440)


@pytest.fixture(scope="module")
def blog(site):
    """The site with twenty posts: twelve plain ones over the ugly ones; one has a tall picture, one lost its picture."""
    for number, (slug, post) in enumerate(UGLY.items()):
        site.add(f"ugly number {number}", slug=f"ugly-{slug}", **{"category": "Ugly", "author": "Ugo Lee", **post})
    site.add("a portrait of a tower", title="A tall picture", slug="tall", category="Ugly", author="Ugo Lee")
    site.add("nothing to see", title="Without a picture", slug="bare", category="Ugly", author="Ugo Lee")
    site.run()
    site.sql("UPDATE posts SET featured_image_url = NULL, cover_image_url = NULL, metadata = '{}' WHERE slug = 'bare'")
    for number in range(1, 14):
        site.add(
            f"a quiet harbour at dawn, number {number}",
            title=f"The harbour, part {number}",
            slug=f"harbour-{number}",
            excerpt=f"What the {number}th morning was like.",
            content=f"The {number}th morning was **calm**.\n\nNobody spoke.",
            category="Harbours",
            author="Ada Writer",
            alt_text=f"A harbour at dawn, {number}",
        )
    site.run()
    revalidate(site)
    soon(lambda: "The harbour, part 13" in get(site, "/").text, seconds=15)
    return site


def get(site, path, **options):
    return httpx2.get(f"{site.url}{path}", timeout=30, **options)


def revalidate(site):
    told = {"paths": ["/"], "tags": ["posts"]}
    headers = {"x-revalidate-secret": SECRET}
    assert httpx2.post(f"{site.url}/api/revalidate", json=told, headers=headers, timeout=30).status_code == 200


PAGES = (
    "/",
    "/posts",
    "/posts/harbour-3",
    "/posts/harbour-3/picture",
    "/posts/tall",
    "/posts/bare",
    "/posts/ugly-long",
    "/posts/ugly-rtl",
    "/posts/ugly-emoji",
    "/posts/ugly-markup",
    "/posts/ugly-rich",
    "/categories",
    "/categories/ugly",
    "/tags",
    "/authors",
    "/authors/ada-writer",
    "/search",
    "/search?q=harbour",
    "/search?q=nothing+like+this",
    "/no-such-page",
)


@contextmanager
def looking(browser, site, **options):
    """A page, and what its console has said."""
    context = browser.new_context(base_url=site.url, viewport={"width": 390, "height": 844}, **options)
    page = context.new_page()
    page.set_default_timeout(30_000)
    said = []
    page.on("console", lambda each: said.append(each.text) if each.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    try:
        yield page, said
    finally:
        context.close()


def scroll_down(page):
    page.evaluate(
        """async () => { for (let y = 0; y < document.body.scrollHeight; y += 400) {
            scrollTo(0, y); await new Promise((done) => setTimeout(done, 30)); } }"""
    )
    page.wait_for_load_state("networkidle")


def test_the_blog_is_complete_without_javascript(browser, blog):
    with looking(browser, blog, java_script_enabled=False) as (page, _):
        page.goto("/")
        lead = page.locator("main article").first
        assert lead.locator("h2").inner_text() == "The harbour, part 13"
        assert page.locator("main article").count() == 13
        assert page.title(), "the title is not in the head"
        lead.locator("h2 a").click()
        page.wait_for_url("**/posts/harbour-13")
        assert page.locator("h1").inner_text() == "The harbour, part 13"
        assert page.locator("article strong").first.inner_text() == "calm"
        image = page.locator("article figure picture img")
        assert image.get_attribute("alt") == "A harbour at dawn, 13"
        assert (image.get_attribute("width"), image.get_attribute("height")) == ("768", "512")
        assert "w400.webp 400w" in page.locator("article figure picture source").first.get_attribute("srcset")
        page.get_by_role("link", name="About this picture").click()
        page.wait_for_url("**/posts/harbour-13/picture")
        assert "drawn by an AI model" in page.locator("main").inner_text()
        page.goto("/search")
        page.get_by_label("Words of the title").fill("part 7")
        page.get_by_role("button", name="Search").click()
        page.wait_for_url("**/search?q=part+7")
        assert page.locator("main article h2").all_inner_texts() == ["The harbour, part 7"]
        for path in ("/categories/harbours", "/authors/ada-writer"):
            page.goto(path)
            assert page.locator("main article").count() == 13


AXE = """axe.run({resultTypes: ['violations']})
    .then(({violations}) => violations.map(({id, nodes}) => [id, nodes[0].html]))"""


def test_nothing_keeps_anybody_out_and_nothing_is_wider_than_the_window(browser, blog, axe):
    with looking(browser, blog) as (page, said):
        for path in PAGES:
            page.goto(path)
            page.evaluate(axe)
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme)
                page.evaluate(SETTLED)
                found = page.evaluate(AXE)
                assert not found, (path, scheme, found)
            for width in WIDTHS:
                page.set_viewport_size({"width": width, "height": 900})
                wider = page.evaluate("document.documentElement.scrollWidth - innerWidth")
                assert wider <= 0, (path, width, wider)
            page.set_viewport_size({"width": 390, "height": 844})
        # Neither policy nor browser had anything to complain of. The page that is not there is 404, which Chrome says.
        assert {each for each in said if "404" not in each} == set()


def test_every_page_has_a_strict_policy_and_keeps_to_it(blog):
    paths = (*PAGES, "/feed.xml", "/api/revalidate", "/favicon.icox", "/_next/image", "/gone", "/away")
    assert len({nonce_of(get(blog, path)) for path in paths}) == len(paths)


def nonce_of(answer):
    """That of this page; its policy is strict, and it keeps to it."""
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    scripts = policy["script-src"]
    assert "unsafe-inline" not in answer.headers["content-security-policy"]
    assert "unsafe-eval" not in scripts
    assert policy["frame-ancestors"] == policy["object-src"] == policy["base-uri"] == "'none'"
    assert answer.headers["x-content-type-options"] == "nosniff"
    [nonce] = re.findall(r"'nonce-([^']+)'", scripts)
    for script in re.findall(r"<script[^>]*>", answer.text):
        assert f'nonce="{nonce}"' in script or "application/ld+json" in script, (answer.url, script)
    assert not re.search(r"<[^>]+\sstyle=", answer.text), answer.url
    return nonce


def test_markdown_cannot_do_anything(browser, blog):
    with looking(browser, blog) as (page, said):
        asked = []
        page.on("request", lambda request: asked.append(urlsplit(request.url).hostname))
        for slug in ("ugly-rich", "ugly-markup"):
            page.goto(f"/posts/{slug}")
            page.wait_for_load_state("networkidle")
            assert page.evaluate("window.ran") is None
        page.goto("/posts/ugly-rich")
        text = page.locator("main > article")
        assert text.locator("script, iframe, form, input, svg, style, base, meta, [onclick], [style]").count() == 0
        assert text.locator("[href^='javascript']").count() == 0
        assert page.locator("#content").count() == 1, "an id of the text could stand for one of ours"
        assert text.locator("h2").first.inner_text() == "First heading", "a page has one h1"
        assert "a picture that is not ours" in text.inner_text()
        assert set(asked) == {"127.0.0.1"}
        assert said == []


def test_a_megabyte_of_markdown_is_shown(blog):
    answer = get(blog, "/posts/ugly-large")
    assert answer.status_code == 200
    assert answer.text.count("<em>ipsum</em>") == 33_000
    assert answer.elapsed.total_seconds() < 20
    # A browser that has to find out the direction of such a block by itself is at it for a minute.
    assert '<p dir="ltr">Lorem' in answer.text
    assert f'<p dir="rtl">{RTL}' in answer.text


def test_a_name_that_is_written_to_the_left_is_not_cut(browser, blog):
    """Its line is clipped where it begins: the dot before a name belongs there, and no letter."""
    left = """name => {
        const letters = document.createRange();
        letters.selectNodeContents(name);
        return letters.getBoundingClientRect().left - document.querySelector("h1").getBoundingClientRect().left;
    }"""
    with looking(browser, blog) as (page, _):
        page.goto("/posts/ugly-rtl")
        assert page.locator("a[rel=author]").evaluate(left) >= 0


def test_the_archive_has_every_post_once(blog):
    blog.sql(
        """INSERT INTO posts (title, slug, content, status, published_at)
           SELECT 'Old story ' || n, 'old-' || n, 'x', 'published', '2020-01-01'::timestamptz + (n / 2) * interval '1 day'
           FROM generate_series(1, 70) AS n"""
    )
    try:
        revalidate(blog)
        found, path = [], "/posts"
        while path is not None:
            answer = get(blog, path)
            assert answer.status_code == 200
            found += re.findall(r'<h3[^>]*><a href="/posts/([^"]+)"', answer.text)
            following = re.search(r'href="(/posts\?after=[^"]+)" rel="next"', answer.text)
            path = following and following[1].replace("&amp;", "&")
        slugs = [quote(row["slug"]) for row in blog.sql("SELECT slug FROM posts WHERE status = 'published'")]
        assert sorted(found) == sorted(slugs)
    finally:
        blog.sql("DELETE FROM posts WHERE slug LIKE 'old-%'")
        revalidate(blog)


def test_what_follows_a_last_page_that_is_full_says_so(blog):
    [row] = blog.sql("SELECT count(*) AS posts FROM posts WHERE status = 'published'")
    listed = httpx2.get(f"{blog.gateway}/api/posts?fields=summary&limit={row['posts']}").json()
    after = quote(listed["meta"]["pagination"]["next"])
    for path in ("/posts", "/categories/harbours", "/search?q=harbour"):
        text = get(blog, f"{path}{'&' if '?' in path else '?'}after={after}").text
        assert "There are no older stories" in text, path
        assert "on its way" not in text


def test_nothing_in_an_address_is_an_error_of_ours(blog):
    for path in ("/posts?after=rubbish", "/posts/%FF", "/posts/%00", "/posts/a%2Fb", "/posts/" + "x" * 2000,
                 "/categories/%25", "/categories/none", "/authors/%E2%82", "/tags/none", "/sitemaps/none.xml",
                 "/sitemaps/2026", "/posts/harbour-3/nothing", "/posts/bare/picture"):  # fmt: skip
        assert get(blog, path).status_code in (400, 404), path
    for path in ("/search?q=", "/search?q=" + "x" * 5000, "/search?q=%00", "/search?q=a&q=b", "/posts?after=&after=",
                 "/search?q=harbour&after=rubbish", "/?unknown=1"):  # fmt: skip
        assert get(blog, path).status_code == 200, path


def test_feeds_sitemap_and_robots_name_every_page(blog):
    rss = ET.fromstring(get(blog, "/feed.xml").content)
    items = rss.findall("./channel/item")
    assert len(items) == 20
    assert items[0].findtext("title") == "The harbour, part 13"
    assert items[0].findtext("link") == f"{blog.url}/posts/harbour-13"
    assert any(item.findtext("title") == UGLY["markup"]["title"] for item in items)
    feed = get(blog, "/feed.json").json()
    assert feed["items"][0]["title"] == "The harbour, part 13"
    assert "<strong>calm</strong>" in feed["items"][0]["content_html"]
    assert f'href="{blog.url}/about"' in str(feed["items"]), "an address of a text is whole, for pages of feed readers"

    robots = get(blog, "/robots.txt").text
    assert f"Sitemap: {blog.url}/sitemap.xml" in robots
    assert "Disallow: /studio" in robots
    spaces = "{http://www.sitemaps.org/schemas/sitemap/0.9}"
    files = [each.text for each in ET.fromstring(get(blog, "/sitemap.xml").content).iter(f"{spaces}loc")]
    listed = [each.text for file in files for each in ET.fromstring(httpx2.get(file).content).iter(f"{spaces}loc")]
    slugs = [row["slug"] for row in blog.sql("SELECT slug FROM posts WHERE status = 'published'")]
    assert {f"{blog.url}/posts/{quote(slug, safe='')}" for slug in slugs} <= set(listed)
    assert {f"{blog.url}/", f"{blog.url}/categories/harbours", f"{blog.url}/authors/ada-writer"} <= set(listed)
    assert len(listed) == len(set(listed))


STORIES, TAGGED = 50_100, 30
LARGE = f"""
CREATE TABLE tags (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name varchar(255) NOT NULL, slug varchar(255) NOT NULL);
CREATE TABLE post_tags (post_id uuid REFERENCES posts, tag_id uuid REFERENCES tags, PRIMARY KEY (post_id, tag_id));
INSERT INTO tags (name, slug) VALUES ('Winter nights', 'winter-nights'), ('Nobody''s', 'nobodys');
INSERT INTO posts (title, slug, content, status, published_at)
SELECT 'Story ' || n, 'story-' || n, 'x', 'published',
    '2021-01-01'::timestamptz + CASE WHEN n <= 30000 THEN '0' ELSE n * interval '10 minutes' END
FROM generate_series(1, {STORIES}) AS n;
INSERT INTO post_tags SELECT posts.id, tags.id FROM posts, tags
WHERE tags.slug = 'winter-nights' AND posts.slug IN (SELECT 'story-' || n * 1000 FROM generate_series(1, {TAGGED}) AS n);
"""


@pytest.fixture(scope="module")
def large(serve):
    """A site with more stories than a sitemap takes, of which many came out on one day, and some have a tag."""
    with serve() as site:
        site.sql(LARGE)
        yield site


def test_more_stories_than_a_sitemap_takes_are_in_several_each_once(large):
    spaces = "{http://www.sitemaps.org/schemas/sitemap/0.9}"
    found = []
    for file in ET.fromstring(get(large, "/sitemap.xml").content).iter(f"{spaces}loc"):
        answer = httpx2.get(file.text, timeout=30)
        listed = [each.text for each in ET.fromstring(answer.content).iter(f"{spaces}loc")]
        assert 0 < len(listed) <= 50_000, file.text
        assert len(answer.content) <= 50 * 2**20, file.text
        found += listed
    wanted = [f"{large.url}/posts/story-{number}" for number in range(1, STORIES + 1)]
    assert sorted(each for each in found if "/posts/" in each) == sorted(wanted)
    assert f"{large.url}/tags/winter-nights" in found
    assert f"{large.url}/tags/nobodys" not in found


def test_a_tag_has_a_page_of_all_its_stories_and_each_story_names_it(large):
    tags = get(large, "/tags").text
    assert re.search(rf'href="/tags/winter-nights".{{0,300}}\b{TAGGED} stories', tags)
    found, path = [], "/tags/winter-nights"
    while path is not None:
        answer = get(large, path)
        assert (answer.status_code, "Winter nights</h1>" in answer.text) == (200, True)
        found.append(re.findall(r'<h2[^>]*><a[^>]* href="/posts/([^"]+)"', answer.text))
        following = re.search(r'href="(/tags/winter-nights\?after=[^"]+)" rel="next"', answer.text)
        path = following and following[1].replace("&amp;", "&")
    assert [len(page) for page in found] == [24, 6]
    assert sorted(slug for page in found for slug in page) == sorted(
        f"story-{number * 1000}" for number in range(1, TAGGED + 1)
    )
    assert re.search(r'href="/tags/winter-nights" rel="tag"[^>]*>Winter nights<', get(large, "/posts/story-1000").text)
    assert "/tags/" not in get(large, "/posts/story-1001").text.partition("<main")[2].partition("</main>")[0]
    empty = get(large, "/tags/nobodys")
    assert (empty.status_code, "There is no story here at present" in empty.text) == (200, True)
    assert get(large, "/tags/none").status_code == 404


def test_a_post_says_what_it_is_to_machines(blog):
    text = get(blog, "/posts/harbour-3").text

    def meta(name):
        found = re.search(rf'<meta (?:name|property)="{re.escape(name)}" content="([^"]*)"', text)
        return found and found[1]

    head = text[: text.index("</head>")]
    assert f'<link rel="canonical" href="{blog.url}/posts/harbour-3"/>' in head
    assert 'type="application/rss+xml"' in head
    assert meta("description") == "What the 3th morning was like."
    assert (meta("og:type"), meta("og:title"), meta("twitter:card")) == (
        "article", "The harbour, part 3", "summary_large_image",
    )  # fmt: skip
    assert httpx2.get(meta("og:image")).status_code == 200
    data = json.loads(re.search(r'<script type="application/ld\+json">(.*?)</script>', text, re.DOTALL)[1])
    assert (data["@type"], data["headline"], data["author"]["name"]) == ("Article", "The harbour, part 3", "Ada Writer")
    image = data["image"]
    assert image["@type"] == "ImageObject"
    assert image["digitalSourceType"].endswith("/trainedAlgorithmicMedia")
    assert image["creditText"]
    assert (image["width"], image["height"]) == (768, 512)
    assert json.loads(re.search(r'ld\+json">(.*?)</script>', get(blog, "/posts/ugly-markup").text, re.DOTALL)[1])[
        "headline"
    ].startswith("<b>Bold</b>")


WATCH = """window.moved = 0; new PerformanceObserver((list) => {
    for (const each of list.getEntries()) window.moved += each.value }).observe({type: "layout-shift", buffered: true})"""


def test_a_page_weighs_little_and_nothing_on_it_moves(browser, blog):
    for path in ("/", "/posts/harbour-3"):
        with looking(browser, blog) as (page, _):
            page.context.add_init_script(WATCH)
            weight = weighed(page, path)
            assert page.evaluate("window.moved") == 0, path
            shown = "[...document.images].filter((each) => each.currentSrc.startsWith('http') && each.complete).length"
            if path == "/":
                assert page.evaluate(shown) >= 12
                assert weight <= 500_000, weight
        assert extra_scripts(blog, path) <= 15_000


def weighed(page, path) -> int:
    """Bytes that came over the wire for this page, looked at to its end."""
    sizes = {}
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.on("Network.loadingFinished", lambda each: sizes.update({each["requestId"]: each["encodedDataLength"]}))
    page.goto(path)
    page.wait_for_load_state("networkidle")
    scroll_down(page)
    return sum(sizes.values())


def extra_scripts(site, path):
    """Bytes of scripts, compressed, that this page has more than an empty page of this version of Next, which has those of
    `rootMainFiles` and, for old browsers alone, `polyfillFiles`."""
    built = json.loads((site.log.parents[1] / "site" / ".next" / "build-manifest.json").read_text())
    empty = {f"/_next/{file}" for file in (*built["rootMainFiles"], *built["polyfillFiles"])}
    text = get(site, path).text
    sources = set(re.findall(r'<script[^>]* src="([^"]+)"', text))
    assert sources & empty, "scripts are called otherwise by now"
    sources |= {f"/_next/{file}" for file in re.findall(r'(static/chunks/[^"\\]+\.js)', text)}
    return sum(len(gzip.compress(get(site, source).content)) for source in sources - empty)


def test_what_was_taken_down_is_gone_everywhere_within_ten_seconds(blog, browser, axe):
    blog.add("a lighthouse to take down", title="The lighthouse that goes", slug="goes", category="Leaving",
             author="Gone Girl")  # fmt: skip
    blog.run()
    pages = (
        "/",
        "/posts",
        "/categories/leaving",
        "/authors/gone-girl",
        "/search?q=lighthouse",
        "/feed.xml",
        "/feed.json",
    )
    for page in pages:
        soon(lambda page=page: "The lighthouse that goes" in get(blog, page).text, seconds=10)
    post = get(blog, "/posts/goes")
    assert post.status_code == 200
    assert get(blog, "/posts/goes/picture").status_code == 200
    pictures = set(re.findall(r'https?://[^"\s&]+/generated/[^"\s&]+\.(?:png|webp|avif|jpg)', post.text))
    [row] = blog.sql("SELECT featured_image_url, cover_image_url FROM posts WHERE slug = 'goes'")
    assert set(filter(None, row.values())) <= pictures
    assert any("w400" in picture for picture in pictures), "renditions go as well"

    key = blog.key("admin")
    asked = {"post": "goes", "reason": "the client withdrew it"}
    headers = {"Authorization": f"Bearer {key}"}
    done = httpx2.post(f"{blog.gateway}/api/studio/posts/unpublish", json=asked, headers=headers, timeout=60)
    assert done.status_code in (200, 202), done.text

    def left():
        listed = [page for page in pages if "The lighthouse that goes" in get(blog, page).text]
        index = get(blog, "/sitemap.xml").text
        files = [file for file in re.findall(r"<loc>([^<]+)</loc>", index) if "/posts/goes<" in httpx2.get(file).text]
        shown = [path for path in ("/posts/goes", "/posts/goes/picture") if get(blog, path).status_code != 410]
        return listed + files + shown + [picture for picture in pictures if httpx2.get(picture).status_code != 404]

    soon(lambda: not left(), seconds=10)
    gone = get(blog, "/posts/goes")
    assert "This story was withdrawn" in gone.text
    assert gone.headers["cache-control"] == "no-store"
    nonce_of(gone)
    for told in (
        {"X-Forwarded-Proto": "https"},
        {"x-glad-inner": "1"},
    ):  # a proxy with TLS; somebody who knows the code
        assert get(blog, "/posts/goes", headers=told).status_code == 410, told
    assert get(blog, "/gone", headers={"x-glad-inner": "1"}).text == "Gone.\n"  # the site does not ask itself for it
    with looking(browser, blog) as (page, _):
        page.goto("/posts/goes")
        page.evaluate(axe)
        assert page.evaluate(AXE) == []


def test_a_message_that_says_nonsense_is_refused(blog):
    headers = {"x-revalidate-secret": SECRET}
    for body in (b"", b"[]", b"not json", b'{"tags": "posts"}', b'{"paths": [1]}', b"null"):
        answer = httpx2.post(f"{blog.url}/api/revalidate", content=body, headers=headers)
        assert (answer.status_code, answer.json()["revalidated"]) == (400, False), body
    assert httpx2.get(f"{blog.url}/api/revalidate").status_code == 405
    odd = {"paths": ["/posts/%FF", "//", ""], "tags": ["post:" + "x" * 400, "y" * 5000]}
    assert httpx2.post(f"{blog.url}/api/revalidate", json=odd, headers=headers).status_code == 200


class Road:
    """The way to the gateway, which can be cut."""

    def __init__(self, gateway: str) -> None:
        self.refused: tuple[bytes, ...] = ()  # requests that have one of these in them get no answer
        self.held = b"nothing"  # what has this in it arrives when it is held no more
        self.holds = threading.Event()  # something has come that is held
        self.target = (urlsplit(gateway).hostname, urlsplit(gateway).port)
        self.server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.server.getsockname()[1]}"
        self.cut = False
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                here, _ = self.server.accept()
            except OSError:
                return
            if self.cut:
                here.close()
                continue
            there = socket.create_connection(self.target)
            for one, other in ((here, there), (there, here)):
                threading.Thread(target=self._pass_on, args=(one, other), daemon=True).start()

    def _pass_on(self, one, other):
        with closing(one), closing(other), suppress(OSError):  # the other half of the way may have closed them
            one.settimeout(0.1)
            while not self.cut:
                try:
                    data = one.recv(65536)
                except TimeoutError:
                    continue
                if not data or any(each in data for each in self.refused):
                    return
                while self.held in data:
                    self.holds.set()
                    time.sleep(0.02)
                other.sendall(data)

    def close(self):
        self.cut = True
        self.server.close()


@pytest.fixture(scope="module")
def way(blog, archive, tmp_path_factory):
    """A second site on this blog, which has read nothing yet: its address, and its way to the gateway."""
    road, port = Road(blog.gateway), free_port()
    with (
        closing(road),
        running(archive, blog.environment, port, road.url, Home(tmp_path_factory.mktemp("way")).prepare()),
    ):
        yield f"http://127.0.0.1:{port}", road


def told(url, *tags):
    """What the site answers to a message of the outbox."""
    headers = {"x-revalidate-secret": SECRET}
    body = {"paths": [], "tags": list(tags)}
    return httpx2.post(f"{url}/api/revalidate", json=body, headers=headers, timeout=30).status_code


def test_a_story_is_shown_without_what_cannot_be_had_beside_it(way):
    url, road = way
    road.refused = (b"category=", b"/around", b"/harbour-9/picture")
    try:
        post = httpx2.get(f"{url}/posts/harbour-9", timeout=30)
        assert (post.status_code, "The harbour, part 9" in post.text) == (200, True)
        assert "More from" not in post.text
        listed = httpx2.get(f"{url}/categories/harbours", timeout=30)
        assert (listed.status_code, listed.headers["retry-after"]) == (503, "30")
        assert "The stories cannot be read just now" in listed.text, "without scripts, too"
    finally:
        road.refused = ()
    assert "More from" in httpx2.get(f"{url}/posts/harbour-9", timeout=30).text


def test_an_answer_that_was_under_way_brings_nothing_back(blog, way):
    url, road = way
    blog.sql(
        "INSERT INTO posts (title, slug, content, status, published_at) VALUES ('Late', 'late', 'x', 'published', now())"
    )
    assert httpx2.get(f"{url}/categories", timeout=30).status_code == 200  # the site knows that the gateway is there
    road.held = b'"late"'
    try:
        answers = []
        reader = threading.Thread(target=lambda: answers.append(httpx2.get(f"{url}/posts", timeout=30)))
        reader.start()
        time.sleep(1)
        blog.sql("DELETE FROM posts WHERE slug = 'late'")
        assert told(url, "posts", "post:late", "gone") == 200
    finally:
        road.held = b"nothing"
    reader.join()
    assert '"/posts/late"' in answers[0].text, "this visitor has asked before"
    assert '"/posts/late"' not in httpx2.get(f"{url}/posts", timeout=30).text


def test_a_story_that_is_withdrawn_while_its_page_is_made_is_gone(blog, way):
    url, road = way
    slugs = ("midway-post", "midway-picture")
    for slug in slugs:
        blog.add(f"a lighthouse, {slug}", title=slug, slug=slug)
    blog.run()
    headers = {"Authorization": f"Bearer {blog.key('admin')}"}

    def page(path):
        return httpx2.get(url + path, timeout=30, follow_redirects=True)

    for slug, path in zip(slugs, ("/posts/midway-post", "/posts/midway-picture/picture"), strict=True):
        road.holds.clear()
        road.held = f"GET /api/posts/{slug} ".encode()
        try:
            answers = []
            reader = threading.Thread(target=lambda path=path, answers=answers: answers.append(page(path)))
            reader.start()
            assert road.holds.wait(20), "the page reads its post when it has been found to be there"
            asked = {"post": slug, "reason": "the client withdrew it", "keep_picture": True}
            done = httpx2.post(f"{blog.gateway}/api/studio/posts/unpublish", json=asked, headers=headers, timeout=60)
            assert done.status_code in (200, 202), done.text
        finally:
            road.held = b"nothing"
        reader.join()
        assert (answers[0].status_code, "This story was withdrawn" in answers[0].text) == (410, True)
        assert page(path).history == [], "asked for again its own address says so"
    road.refused = (b"HEAD /api/posts/midway-post ",)  # whether it is there could not be found out
    try:
        assert page("/posts/midway-post").status_code == 410
    finally:
        road.refused = ()


def test_while_the_gateway_is_away_pages_stay_and_others_say_so(way):
    url, road = way
    for path in ("/", "/posts/harbour-3", "/categories/harbours"):
        assert httpx2.get(url + path, timeout=30).status_code == 200
    road.cut = True
    try:
        soon(lambda: httpx2.get(f"{url}/posts/harbour-4", timeout=30).status_code == 503, seconds=10)
        for path, headers in itertools.product(
            ("/", "/posts/harbour-3", "/categories/harbours"), ({}, {"X-Forwarded-Proto": "https"})
        ):
            kept = httpx2.get(url + path, timeout=30, headers=headers)
            assert (kept.status_code, "harbour" in kept.text) == (200, True), (path, headers)
        away = httpx2.get(f"{url}/authors/ada-writer", timeout=30)
        assert (away.status_code, away.headers["retry-after"]) == (503, "30")
        assert "The stories cannot be read just now" in away.text
        nonce_of(away)
        for path in ("/feed.xml", "/sitemap.xml"):
            assert httpx2.get(url + path, timeout=30).status_code == 503
        # A new post's message leaves the pages of before, and is to be told again. A takedown's does not, whatever follows.
        assert told(url, "posts") == 503
        assert httpx2.get(f"{url}/", timeout=30).status_code == 200
        assert told(url, "posts", "gone") == 200
        assert told(url, "posts") == 503
        assert httpx2.get(f"{url}/", timeout=30).status_code == 503
    finally:
        road.cut = False
    soon(lambda: httpx2.get(f"{url}/", timeout=30).status_code == 200, seconds=10)
    assert told(url, "posts") == 200
