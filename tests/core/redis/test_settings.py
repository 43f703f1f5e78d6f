"""How the Redis server is named: URL, flag, environment, atectl.toml; and what is never shown."""

from pathlib import Path

import pytest

from atectl.config import DEFAULT_REDIS_TIMEOUT_S, config_path
from atectl.errors import BadDuration
from atectl.redis.errors import BadRedisFile, BadRedisUrl, NoRedisNamed
from atectl.redis.settings import (
    MAX_PASSWORD_BYTES,
    RedisSettings,
    parse_redis_url,
    redis_settings,
)

SECRET = "hunter2"


@pytest.fixture
def toml(private_homes: Path) -> Path:
    path = config_path()
    path.parent.mkdir(parents=True)
    return path


class TestUrl:
    def test_names_host_port_and_database(self) -> None:
        assert parse_redis_url("redis://redis.example:6380/2") == RedisSettings(
            host="redis.example", port=6380, db=2
        )

    def test_has_the_usual_port_by_default(self) -> None:
        assert parse_redis_url("redis://redis.example").port == 6379

    def test_names_the_database_in_the_query_too(self) -> None:
        assert parse_redis_url("unix:///run/redis.sock?db=3").db == 3

    def test_of_the_secure_scheme_wants_tls(self) -> None:
        assert parse_redis_url("rediss://redis.example").is_tls
        assert not parse_redis_url("redis://redis.example").is_tls

    def test_names_a_socket(self) -> None:
        settings = parse_redis_url("unix:///run/redis%20one.sock")
        assert (settings.host, settings.socket_path) == ("", "/run/redis one.sock")

    def test_names_a_user_and_password_percent_encoded(self) -> None:
        settings = parse_redis_url("redis://a%3Ab:p%40ss%2Fw%25@h")
        assert (settings.user, settings.password) == ("a:b", "p@ss/w%")

    def test_names_a_password_of_the_default_user(self) -> None:
        settings = parse_redis_url(f"redis://:{SECRET}@h")
        assert (settings.user, settings.password) == (None, SECRET)

    def test_names_the_master_that_sentinels_know(self) -> None:
        assert parse_redis_url("redis://h:26379?master=mymaster").master == "mymaster"

    @pytest.mark.parametrize(
        ("url", "address"),
        [
            ("redis://h:1", "h:1"),
            ("redis://[::1]:6380", "[::1]:6380"),
            ("unix:///run/redis.sock", "/run/redis.sock"),
            (f"redis://user:{SECRET}@h:1", "h:1"),
        ],
    )
    def test_leads_to_an_address_to_show(self, url: str, address: str) -> None:
        assert parse_redis_url(url).address == address

    @pytest.mark.parametrize(
        "url",
        [
            f"localhost:{SECRET}",
            f"http://:{SECRET}@h",
            f"redis:{SECRET}",
            f"redis://:{SECRET}@",
            f"redis://:{SECRET}@h:port",
            f"redis://:{SECRET}@h:0",
            f"redis://:{SECRET}@h:65536",
            f"redis://:{SECRET}@[::1",
            f"redis://:{SECRET}@h/database",
            f"redis://:{SECRET}@h/1/2",
            f"redis://:{SECRET}@h/9999999",
            f"redis://:{SECRET}@h/²",
            f"redis://:{SECRET}@h?color=blue",
            f"redis://:{SECRET}@h?db=1&db=2",
            f"redis://:{SECRET}@h#part",
            f"redis://:{SECRET}@h\n",
            f"redis://:{SECRET}@h..example",
            f"redis://:{SECRET}@{'h' * 64}.example",
            f"unix://:{SECRET}@",
            f"unix://:{SECRET}@/",
            f"unix://:{SECRET}@host/run/redis.sock",
            f"unix://:{SECRET}@/run/redis%00.sock",
            # What a reserved character in the password does to the rest of the URL.
            f"redis://user:/{SECRET}@h",
            f"redis://user:1/{SECRET}@h:6379",
            f"redis://user:1?{SECRET}@h:6379",
            f"redis://user:1#{SECRET}@h:6379",
            f"redis://user:{SECRET}/x@h:6379",
            f"redis://user:1?master={SECRET}@h",
            f"unix://user:1/{SECRET}@/run/redis.sock",
            f"unix://:/{SECRET}@/run/redis.sock",
            "",
        ],
    )
    def test_that_cannot_be_used_is_refused_without_repeating_it(self, url: str) -> None:
        with pytest.raises(BadRedisUrl) as caught:
            parse_redis_url(url)
        assert SECRET not in f"{caught.value} {caught.value.remedy}"


class TestSources:
    def test_without_any_there_is_an_error(self) -> None:
        with pytest.raises(NoRedisNamed):
            redis_settings()

    def test_the_file_names_a_server(self, toml: Path) -> None:
        toml.write_text(
            "[redis]\nurl = 'rediss://file:1'\nca = '/ca'\ncert = '/cert'\nkey = '/key'\n"
            "server_name = 'redis.example'\ntimeout = '2s'\n"
        )
        assert redis_settings() == RedisSettings(
            host="file",
            port=1,
            is_tls=True,
            ca_file="/ca",
            cert_file="/cert",
            key_file="/key",
            server_name="redis.example",
            timeout_s=2,
        )

    def test_the_environment_goes_before_the_file(
        self, toml: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        toml.write_text("[redis]\nurl = 'redis://file'\n")
        monkeypatch.setenv("ATECTL_REDIS_URL", "redis://environment")
        assert redis_settings().host == "environment"

    def test_the_flag_goes_before_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ATECTL_REDIS_URL", "redis://environment")
        assert redis_settings("redis://flag").host == "flag"

    def test_the_password_of_one_server_is_not_sent_to_another(
        self, toml: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "password").write_text(SECRET)
        toml.write_text(
            f"[redis]\nurl = 'rediss://file'\npassword_file = '{tmp_path}/password'\nca = '/ca'\n"
        )
        assert redis_settings().password == SECRET
        other = redis_settings("redis://flag")
        assert (other.password, other.ca_file) == (None, None)

    def test_the_timeout_in_the_file_is_for_every_server(self, toml: Path) -> None:
        toml.write_text("[redis]\ntimeout = '250ms'\n")
        assert redis_settings("redis://flag").timeout_s == 0.25
        assert redis_settings("redis://flag", timeout="1m").timeout_s == 60

    def test_the_timeout_has_a_default(self) -> None:
        assert redis_settings("redis://flag").timeout_s == DEFAULT_REDIS_TIMEOUT_S

    def test_a_timeout_that_is_none_is_refused(self) -> None:
        with pytest.raises(BadDuration):
            redis_settings("redis://flag", timeout="soon")

    def test_a_home_is_expanded_in_names_of_files(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", "/home/operator")
        settings = redis_settings("rediss://h", ca="~/ca.pem")
        assert settings.ca_file == "/home/operator/ca.pem"


class TestPasswordFile:
    def test_goes_before_the_url(self, tmp_path: Path) -> None:
        (tmp_path / "password").write_text("from the file\n")
        settings = redis_settings(
            f"redis://user:{SECRET}@h", password_file=str(tmp_path / "password")
        )
        assert (settings.user, settings.password) == ("user", "from the file")

    @pytest.mark.parametrize(
        ("content", "password"),
        [("plain", "plain"), ("nl\n", "nl"), ("crlf\r\n", "crlf"), (" spaces \n", " spaces ")],
    )
    def test_loses_its_line_end_alone(self, tmp_path: Path, content: str, password: str) -> None:
        (tmp_path / "password").write_bytes(content.encode())
        settings = redis_settings("redis://h", password_file=str(tmp_path / "password"))
        assert settings.password == password

    @pytest.mark.parametrize(
        "content", [b"", b"\n", b"\xff\xfe", SECRET.encode() * MAX_PASSWORD_BYTES]
    )
    def test_that_holds_no_password_is_refused(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "password").write_bytes(content)
        with pytest.raises(BadRedisFile, match="password") as caught:
            redis_settings("redis://h", password_file=str(tmp_path / "password"))
        assert SECRET not in str(caught.value)

    def test_that_is_missing_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(BadRedisFile, match="No such file"):
            redis_settings("redis://h", password_file=str(tmp_path / "missing"))

    def test_whose_name_is_none_is_refused(self) -> None:
        with pytest.raises(BadRedisFile, match="not a file name"):
            redis_settings("redis://h", password_file="a\0b")


class TestCertificates:
    @pytest.mark.parametrize(
        "options",
        [{"ca": "/ca"}, {"cert": "/cert"}, {"key": "/key"}, {"server_name": "name"}],
        ids=lambda options: next(iter(options)),
    )
    def test_are_refused_for_a_connection_in_the_clear(self, options: dict[str, str]) -> None:
        with pytest.raises(BadRedisUrl) as caught:
            redis_settings("redis://h", **options)
        assert "rediss://" in caught.value.remedy

    def test_a_key_wants_its_certificate(self) -> None:
        with pytest.raises(BadRedisUrl, match="without its certificate"):
            redis_settings("rediss://h", key="/key")


def test_a_password_is_not_in_what_a_debugger_or_a_log_shows() -> None:
    settings = parse_redis_url(f"redis://user:{SECRET}@h:1")
    assert settings.password == SECRET
    assert SECRET not in f"{settings!r} {settings}"
    assert SECRET not in f"{settings._replace(port=2)!r}"


class TestSeveralServers:
    """A cluster or a group of Sentinels can be named by any of its servers, or by several."""

    def test_are_separated_by_commas_in_one_url(self) -> None:
        settings = parse_redis_url("redis://me:p,w@a:1,b,[::1]:3/2?master=m")
        assert [str(each) for each in settings.servers] == ["a:1", "b:6379", "[::1]:3"]
        assert settings.address == "a:1,b:6379,[::1]:3"
        assert (settings.user, settings.password) == ("me", "p,w")
        assert (settings.db, settings.master) == (2, "m")

    def test_may_be_named_by_several_urls(self) -> None:
        settings = redis_settings(["redis://me:pw@a:1/0", "redis://b:2", "redis://a:1,c"])
        assert [str(each) for each in settings.servers] == ["a:1", "b:2", "c:6379"]
        assert settings.password == "pw"

    def test_may_be_named_by_the_file_and_by_the_environment(
        self, toml: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        toml.write_text("[redis]\nurl = 'redis://a:1,b:2'\n")
        assert redis_settings().address == "a:1,b:2"
        monkeypatch.setenv("ATECTL_REDIS_URL", "redis://c:3,d:4")
        assert redis_settings().address == "c:3,d:4"

    @pytest.mark.parametrize(
        "other", ["rediss://b", "redis://b/3", "redis://you@b", "redis://b?master=x", "unix:///s"]
    )
    def test_differ_in_their_hosts_alone(self, other: str) -> None:
        with pytest.raises(BadRedisUrl):
            redis_settings(["redis://me:pw@a/1?master=m", other])

    @pytest.mark.parametrize("url", ["redis://a,", "redis://,a", "redis://a,,b", "redis://a:0,b"])
    def test_have_a_host_each(self, url: str) -> None:
        with pytest.raises(BadRedisUrl):
            parse_redis_url(url)


@pytest.mark.parametrize(("scheme", "is_tls"), [("valkey", False), ("valkeys", True)])
def test_the_schemes_of_valkey_are_taken(scheme: str, is_tls: bool) -> None:
    settings = parse_redis_url(f"{scheme}://a:1")
    assert (settings.address, settings.is_tls) == ("a:1", is_tls)


def test_a_byte_order_mark_is_no_part_of_a_password(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_bytes(b"\xef\xbb\xbfpass word\r\n")
    assert redis_settings("redis://a", password_file=str(path)).password == "pass word"
