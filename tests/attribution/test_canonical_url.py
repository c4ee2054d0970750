import pytest

from tokenboard.attribution import Reason, RefererError, canonical_url

CANONICAL = [
    # scheme, case, default port, user info, query, fragment, trailing dot
    ("http://example.com", "https://example.com"),
    ("HTTPS://user:pw@Example.COM.:443/a/../b/?q=1#f", "https://example.com/b"),
    ("https://example.com:8443/", "https://example.com:8443"),
    ("http://example.com:80/x", "https://example.com/x"),
    ("https://example.com:/x", "https://example.com/x"),
    # the port that is default in the canonical scheme goes, any other stays
    ("http://example.com:443", "https://example.com"),
    ("https://example.com:80", "https://example.com:80"),
    ("http://example.com:8080", "https://example.com:8080"),
    ("https://example.com:0", "https://example.com:0"),
    # white space and control characters around, tabs and line breaks inside
    ("\ufeff\u00a0 https://example.com \x00", "https://example.com"),
    ("ht\ttp://exa\nmple.com/a\tb", "https://example.com/ab"),
    # hosts
    ("https://b\u00fccher.example/", "https://xn--bcher-kva.example"),
    ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
    ("http://example\u3002com\u3002", "https://example.com"),
    ("http://ex%61mple.com", "https://example.com"),
    ("http:///example.com", "https://example.com"),
    ("http://intranet/", "https://intranet"),
    ("http://192.168.1.5:3000/", "https://192.168.1.5:3000"),
    ("http://0xC0A80105", "https://192.168.1.5"),
    ("http://[2001:DB8:0:0::1]:8080/x", "https://[2001:db8::1]:8080/x"),
    # www
    ("https://www.example.org/", "https://example.org"),
    ("https://www.com/", "https://www.com"),
    ("https://www.www.com/", "https://www.com"),
    ("https://www.www.example.com/", "https://example.com"),
    ("https://www./", "https://www"),
    ("https://www..com", "https://www..com"),
    ("https://www2.example.com", "https://www2.example.com"),
    ("https://app.example.com", "https://app.example.com"),
    # path
    ("https://example.com/A/b///", "https://example.com/A/b"),
    ("https://example.com//a//b", "https://example.com//a//b"),
    ("https://example.com\\a\\b", "https://example.com/a/b"),
    ("https://example.com/%2e%2E/a/./b", "https://example.com/a/b"),
    ("https://example.com/a%2Fb/%7e", "https://example.com/a%2Fb/%7e"),
    ("https://example.com/caf\u00e9 bar", "https://example.com/caf%C3%A9%20bar"),
    ("https://maps.example/@40.7,-74.0,12z", "https://maps.example/@40.7,-74.0,12z"),
    ("https://example.com/#/chat", "https://example.com"),
    # no scheme
    ("myapp.com", "https://myapp.com"),
    ("myapp.com/tools/", "https://myapp.com/tools"),
    ("myapp.com:8080", "https://myapp.com:8080"),
    ("myapp.com:80", "https://myapp.com"),
    ("//myapp.com/x", "https://myapp.com/x"),
    ("myapp.com\\x", "https://myapp.com/x"),
    ("myapp.com/login?next=https://other.com", "https://myapp.com/login"),
    ("B\u00fccher.example", "https://xn--bcher-kva.example"),
    ("10.0.0.7:8000", "https://10.0.0.7:8000"),
    ("[2001:db8::1]:8080", "https://[2001:db8::1]:8080"),
    ("2001:db8::1", "https://[2001:db8::1]"),
    # loopback: http, host and port only
    ("localhost", "http://localhost"),
    ("LocalHost.:19000/x", "http://localhost:19000"),
    ("localhost:3000", "http://localhost:3000"),
    ("https://localhost:3006/chat?x", "http://localhost:3006"),
    ("https://localhost:80", "http://localhost"),
    ("https://localhost", "http://localhost"),
    ("http://app.localhost:3000/x", "http://app.localhost:3000"),
    ("http://127.1:81", "http://127.0.0.1:81"),
    ("http://0x7f000001", "http://127.0.0.1"),
    ("http://2130706433/", "http://127.0.0.1"),
    ("http://127.8.9.10", "http://127.8.9.10"),
    ("http://0", "http://0.0.0.0"),
    ("http://[::1]:3000", "http://[::1]:3000"),
    ("[0:0:0:0:0:0:0:1]", "http://[::1]"),
    ("::1", "http://[::1]"),
    ("http://[::]", "http://[::]"),
    ("http://[::ffff:127.0.0.1]", "http://[::ffff:7f00:1]"),
    ("http://[::ffff:0.0.0.0]", "http://[::ffff:0:0]"),
    ("capacitor://localhost", "http://localhost"),
    ("app://LOCALHOST:80/index.html", "http://localhost"),
    ("ws://localhost:80", "http://localhost"),
    ("app://127.0.0.1:5", "http://127.0.0.1:5"),
    # looks like loopback, and is not
    ("http://localhost.example.com", "https://localhost.example.com"),
    ("http://notlocalhost", "https://notlocalhost"),
    ("http://127.example.com", "https://127.example.com"),
    ("app://127.0.0.999", "app://127.0.0.999"),
    # other schemes
    ("vscode://Saoudrizwan.Claude-Dev/ssy?x#y", "vscode://saoudrizwan.claude-dev"),
    ("chrome-extension://arcflow", "chrome-extension://arcflow"),
    ("APP://obsidian.md", "app://obsidian.md"),
    ("app://u:p@www.example.com.:443/x", "app://www.example.com:443"),
    ("app://B\u00fccher.example", "app://xn--bcher-kva.example"),
    ("app://%ff%fe", "app://%ff%fe"),
    ("ftp://example.com:21/x", "ftp://example.com"),
    ("wss://example.com/socket", "wss://example.com"),
    # forges
    ("https://github.com/Cline/Cline/", "https://github.com/cline/cline"),
    ("https://www.GitHub.com/RooVetGit/Roo-Cline.git/tree/main", "https://github.com/roovetgit/roo-cline"),
    ("https://me:token@github.com/a/b.git#readme", "https://github.com/a/b"),
    ("https://github.com:8443/A/b/c", "https://github.com:8443/a/b"),
    ("https://github.com//A//b", "https://github.com/a/b"),
    ("https://github.com/Tasanakorn", "https://github.com/tasanakorn"),
    ("https://github.com", "https://github.com"),
    ("https://github.com/a/.git", "https://github.com/a"),
    ("https://github.com/a/b.GIT.git", "https://github.com/a/b"),
    ("https://github.com/a/...git", "https://github.com/a"),
    ("https://github.com/a/%2e%2E.git", "https://github.com/a"),
    ("https://github.com/a.git/b", "https://github.com/a.git/b"),
    ("https://gitlab.com/Group/Sub/project", "https://gitlab.com/group/sub/project"),
    ("https://gitlab.com/Group/Sub/Deep/project.git/-/tree/main/-/x", "https://gitlab.com/group/sub/deep/project"),
    ("https://gitlab.com/-/profile", "https://gitlab.com"),
    ("https://gitlab.com/a/b-/-c", "https://gitlab.com/a/b-/-c"),
    ("git+https://github.com/A/B.git#main", "https://github.com/a/b"),
    ("git+http://www.github.com/A/B", "https://github.com/a/b"),
    ("git+ssh://git@gitlab.com/G/S/P.git", "https://gitlab.com/g/s/p"),
    ("GIT://codeberg.org:9418/A/B.git", "https://codeberg.org/a/b"),
    ("ssh://git@bitbucket.org:22/A/B.git?x", "https://bitbucket.org/a/b"),
    ("ssh://git@github.com:A/B.git", "https://github.com/a/b"),
    ("git+ssh://git@github.com:A/B.git", "https://github.com/a/b"),
    ("git@github.com:A/B.git", "https://github.com/a/b"),
    ("git@GitLab.com:/G/S/P.git/", "https://gitlab.com/g/s/p"),
    ("git@huggingface.co:spaces/A/B", "https://huggingface.co/spaces/a/b"),
    ("ssh://git@example.com/a/b.git", "ssh://example.com"),
    ("https://codeberg.org/A/B/src", "https://codeberg.org/a/b"),
    ("https://bitbucket.org/A/B/src", "https://bitbucket.org/a/b"),
    ("https://huggingface.co/Org/Model/tree/main", "https://huggingface.co/org/model"),
    ("https://huggingface.co/Spaces/Org/App/tree", "https://huggingface.co/spaces/org/app"),
    ("https://huggingface.co/datasets/Org/Set.git/viewer", "https://huggingface.co/datasets/org/set"),
    ("https://gist.github.com/A/B/c", "https://gist.github.com/A/B/c"),
    ("https://me.github.io/A/B/c", "https://me.github.io/A/B/c"),
    # a template in what is dropped anyway
    ("https://example.com/?utm={{source}}#<x>", "https://example.com"),
]

REFUSED = [
    ("", Reason.MISSING_REFERER),
    (" \t\r\n\u3000", Reason.MISSING_REFERER),
    ("\x00", Reason.MISSING_REFERER),
    *[
        (text, Reason.PLACEHOLDER_REFERER)
        for text in (
            "<YOUR_SITE_URL>",
            "<your-site-url>",
            "<https://myapp.com>",
            "<>",
            "${X}",
            "${process.env.SITE_URL}",
            "{{x}}",
            "{{ site.url }}",
            "{SITE_URL}",
            "YOUR_SITE_URL",
            "your_site_url",
            "$YOUR_SITE_URL",
            "$SITE_URL",
            "%SITE_URL%",
            "__SITE_URL__",
            "[YOUR_SITE_URL]",
            "process.env.SITE_URL",
            "%3CYOUR_SITE_URL%3E",
            "%7B%7Bx%7D%7D",
            "https://<your-site>",
            "https://<your-site>.com/",
            "https://YOUR_SITE_URL",
            "https://your-site-url/",
            "https://YOUR_DOMAIN.com/app",
            "https://${HOST}/",
            "https://$HOST",
            "https://{host}:3000",
            "https://{{host}}/",
            "https://example.com/{{app}}",
            "https://example.com/%3Capp%3E",
            "https://example.com/<ap\tp>",
            "vscode://${publisher}.${name}",
            "<" + "x" * 3000 + ">",
        )
    ],
    *[
        (text, Reason.INVALID_REFERER)
        for text in (
            "myapp",
            "null",
            "undefined",
            "about:client",
            "javascript:alert(1)",
            "javascript:alert(1.5)",
            "javascript://example.com/%0aalert(1)",
            "javascript://%0aalert(1)",
            "data:text/html,x.y",
            "data://example.com",
            "blob:https://example.com/1",
            "file:///home/me/index.html",
            "file://server/share",
            "C:\\Users\\me\\index.html",
            "/index.html",
            "./index.html",
            "../x",
            "?x.y",
            "#x.y",
            ".",
            "...",
            "myapp.",
            ".myapp",
            "me@example.com",
            "mailto:me@example.com",
            "user:pw@example.com",
            "tel:+1.5",
            "example.com:abc",
            "example.com:99999",
            "Hello, world.com!",
            "My App v1.2",
            "https:example.com",
            "https:\\\\example.com",
            "://example.com",
            "1http://example.com",
            "http://",
            "https:///",
            "https://?x",
            "vscode://",
            "vscode:///x",
            "https://exa mple.com",
            "https://exa<mple.com",
            "https://256.1.1.1",
            "https://example.com..",
            "https://a.com,b.com",
            "app://a,b",
            "https://127.1..",
            "app://x..",
            "https://.",
            "https://[::1",
            "https://[::g]",
            "fe80::1%eth0",
            "2130706433",
            "12:34:56",
            "https://example.com/\ud800",
            "\ud800.com",
        )
    ],
]


@pytest.mark.parametrize(("text", "url"), CANONICAL)
def test_a_url_has_one_canonical_form(text: str, url: str) -> None:
    assert url == canonical_url(text)
    assert url == canonical_url(text.encode())
    assert url == canonical_url(url)


@pytest.mark.parametrize(("text", "reason"), REFUSED)
def test_what_names_no_app_is_refused_with_its_reason(text: str, reason: Reason) -> None:
    with pytest.raises(RefererError) as refusal:
        canonical_url(text)
    assert reason is refusal.value.reason
    assert str(refusal.value).startswith(f"{reason}: ")


def test_bytes_that_are_not_utf_8_are_read_as_latin_1() -> None:
    assert canonical_url(b"https://b\xfccher.example/caf\xe9") == "https://xn--bcher-kva.example/caf%C3%A9"


def test_a_value_may_have_2048_characters_when_its_canonical_form_is_short() -> None:
    longest = "https://example.com/?" + "q" * (2048 - 21)
    assert len(longest) == 2048
    assert canonical_url(f"  {longest}  ") == "https://example.com"
    with pytest.raises(RefererError, match="referer_too_long"):
        canonical_url(longest + "q")


def test_characters_are_counted_not_bytes() -> None:
    assert canonical_url("https://example.com/?" + "\u20ac" * (2048 - 21)) == "https://example.com"


@pytest.mark.parametrize("prefix", ["https://example.com/", "https://github.com/a/"])
def test_a_canonical_url_may_have_512_characters(prefix: str) -> None:
    longest = prefix + "p" * (512 - len(prefix))
    assert canonical_url(longest) == longest
    with pytest.raises(RefererError, match="referer_too_long"):
        canonical_url(longest + "p")


def test_a_long_loopback_host_is_too_long() -> None:
    with pytest.raises(RefererError, match="referer_too_long"):
        canonical_url("http://" + "a." * 260 + "localhost")


def test_the_origin_alone_can_be_asked_for() -> None:
    assert canonical_url("https://www.example.com:8443/a/b?c", origin_only=True) == "https://example.com:8443"
    assert canonical_url("https://github.com/a/b", origin_only=True) == "https://github.com"
    assert canonical_url("http://localhost:3000/x", origin_only=True) == "http://localhost:3000"
