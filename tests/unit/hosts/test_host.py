"""Which texts name a host, and which are refused."""

import pytest

from zeppelin_pipeline.errors import InvalidDataError
from zeppelin_pipeline.hosts.host import Host, parse_host


@pytest.mark.parametrize(
    ("text", "key", "url"),
    [
        ("https://pds.example.com", "pds.example.com", "https://pds.example.com"),
        ("https://PDS.Example.com/", "pds.example.com", "https://pds.example.com"),
        ("https://pds.example.com:443", "pds.example.com", "https://pds.example.com"),
        ("https://pds.example.com:8443/", "pds.example.com:8443", "https://pds.example.com:8443"),
        ("pds.example.com", "pds.example.com", "https://pds.example.com"),
        ("pds.example.com.", "pds.example.com", "https://pds.example.com"),
        ("pds.example.com:8443", "pds.example.com:8443", "https://pds.example.com:8443"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ("my_pds.example.com", "my_pds.example.com", "https://my_pds.example.com"),
        ("localhost:2583", "localhost:2583", "http://localhost:2583"),
        ("localhost", "localhost", "http://localhost"),
        ("127.0.0.1:2583", "127.0.0.1:2583", "http://127.0.0.1:2583"),
        ("http://10.0.0.7", "10.0.0.7", "http://10.0.0.7"),
        ("https://10.0.0.7", "10.0.0.7", "https://10.0.0.7"),
        ("93.184.216.34", "93.184.216.34", "https://93.184.216.34"),
        ("[::1]:2583", "[::1]:2583", "http://[::1]:2583"),
        ("https://[2606:4700::1111]", "[2606:4700::1111]", "https://[2606:4700::1111]"),
        ("http://pds:3000", "pds:3000", "http://pds:3000"),
        ("http://pds.devnet.test:80", "pds.devnet.test", "http://pds.devnet.test"),
    ],
)
def test_a_host_has_one_key_and_one_url(text: str, key: str, url: str) -> None:
    assert parse_host(text) == Host(key, url)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "https://",
        "https://user@pds.example.com",
        "https://user:word@pds.example.com",
        "https://pds.example.com/path",
        "https://pds.example.com/../x",
        "https://pds.example.com?x=1",
        "https://pds.example.com?",
        "https://pds.example.com#x",
        "https://pds.example.com:0",
        "https://pds.example.com:",
        "https://pds.example.com:99999",
        "https://pds.example.com:x",
        "pds..example.com",
        "-pds.example.com",
        "pds-.example.com",
        "pds.example.com\n",
        "pds example.com",
        "pds.exämple.com",
        "pds.example.com\\@evil",
        "../x",
        "..",
        "tail",
        "2130706433",
        "0x7f.1",
        "127.1",
        "1.2.3.4.5",
        "[::1",
        "[fe80::1%25eth0]",
        "a" * 64 + ".example.com",
        ".".join(["abcdefghi"] * 30),
    ],
)
def test_what_is_more_or_less_than_a_host_is_refused(text: str) -> None:
    with pytest.raises(InvalidDataError) as caught:
        parse_host(text)
    assert caught.value.reason == "host-syntax"


@pytest.mark.parametrize(
    "text", ["ftp://pds.example.com", "http://pds.example.com", "ws://localhost:1", "http://1.1.1.1"]
)
def test_plain_http_is_for_private_names_only(text: str) -> None:
    with pytest.raises(InvalidDataError) as caught:
        parse_host(text)
    assert caught.value.reason == "host-scheme"
