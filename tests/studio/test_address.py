"""Where the studio listens: this machine, unless somebody knows better; and the names under which it answers."""

import ipaddress
import socket

import pytest

from reverie.errors import UserError
from reverie.studio import address


def test_this_machine_has_three_names() -> None:
    found = address.answers("127.0.0.1", 8710)
    assert found.hosts == {"127.0.0.1:8710", "localhost:8710"}
    assert found.origins == {"http://127.0.0.1:8710", "http://localhost:8710"}
    assert found.link == "http://127.0.0.1:8710"
    six = address.answers("::1", 8710)
    assert six.hosts == {"[::1]:8710", "localhost:8710"}
    assert six.link == "http://[::1]:8710"
    assert address.answers("127.0.0.1", 80).hosts == {"127.0.0.1", "localhost"}


def test_names_are_taken_as_browsers_write_them() -> None:
    found = address.answers("127.0.0.1", 8710, ("Studio.Example.org", "localhost:9000", "[fe80::1]"))
    more = {"studio.example.org", "studio.example.org:8710", "localhost:9000", "[fe80::1]", "[fe80::1]:8710"}
    assert found.hosts == {"127.0.0.1:8710", "localhost:8710"} | more
    assert {f"https://{name}" for name in more} <= found.origins
    assert "https://127.0.0.1:8710" not in found.origins


@pytest.mark.parametrize(
    "name", ["", "*", "*.example.org", "http://a", "a/b", "a b", "a.", "-a", "a:", "a:x", "a@b", "é", "::1", "a\n"]
)
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(UserError, match="--allow-host"):
        address.answers("127.0.0.1", 8710, (name,))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "10.0.0.1", "8.8.8.8", "fe80::1", "::ffff:8.8.8.8"])
def test_others_are_let_in_only_if_that_was_asked_for(host: str) -> None:
    with pytest.raises(UserError, match="--i-know"):
        address.checked(host, asked=False)
    assert ipaddress.ip_address(address.checked(host, asked=True)) == ipaddress.ip_address(host)


def test_what_listens_everywhere_needs_a_name() -> None:
    with pytest.raises(UserError, match="--allow-host"):
        address.answers("0.0.0.0", 8710)
    found = address.answers("0.0.0.0", 8710, ("box",))
    assert (found.hosts, found.link) == ({"box", "box:8710"}, "http://box:8710")
    assert address.answers("192.168.1.5", 8710).hosts == {"192.168.1.5:8710"}


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.8.8"])
def test_this_machine_needs_no_asking(host: str) -> None:
    assert address.checked(host, asked=False) == host.replace("localhost", "127.0.0.1")


@pytest.mark.parametrize("host", ["", "evil.com", "127.0.0.1:80", "0x7f000001", "[::1]", "127.1"])
def test_what_is_no_address_is_refused(host: str) -> None:
    with pytest.raises(UserError, match="no address"):
        address.checked(host, asked=True)


def test_a_port_that_is_taken_is_said() -> None:
    with address.bound(0) as first:
        host, port = first.getsockname()
        assert host == "127.0.0.1"
        with pytest.raises(UserError, match=f"port {port} of 127.0.0.1 is taken"):
            address.bound(port)


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_it_listens_to_the_other_loopback() -> None:
    with address.bound(0, "::1") as listening:
        assert listening.getsockname()[0] == "::1"
