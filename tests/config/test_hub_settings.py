"""Settings of the hub: the shipped file is read; each mistake names file, key, what was found and what is allowed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import config
from config.hub_settings import load_api_keys, load_hub
from config.load import SettingsError
from config.mqtt import MqttSettings, host_port

SHIPPED = Path(config.__file__).parent / "shipped"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for file in SHIPPED.iterdir():
        shutil.copy(file, tmp_path)
    return tmp_path


def test_the_shipped_settings_are_read_with_paths_relative_to_the_file(folder):
    settings = load_hub(folder / "hub.toml")
    assert settings.store.id == "ginza"
    assert str(settings.store.zone) == "Asia/Tokyo"
    assert settings.database == folder / "hub.sqlite"
    assert settings.rules == folder / "rules.toml"
    assert settings.exit_code.key_files == (folder / "exit-code-key.pem",)
    assert settings.http.api_keys_file == folder / "api-keys.toml"


@pytest.mark.parametrize(
    ("was", "now", "sentence"),
    [
        ('time_zone = "Asia/Tokyo"', 'time_zone = "Asia/Tokio"', "store.time_zone: .*IANA.*'Asia/Tokio'"),
        ('currency = "JPY"', 'curency = "JPY"', "store.curency is not a known key; did you mean 'currency'"),
        ('database = "hub.sqlite"', "", "database is missing"),
        ("lifetime_s = 3600", "lifetime_s = 5", "exit_code.lifetime_s: .*greater than or equal to 60; found 5"),
        ('ws_url = "ws://127.0.0.1:9001"', 'ws_url = "http://x"', "http.ws_url: .*no WebSocket address"),
        ('messages = "messages.toml"', 'messages = "rules.toml"', "different files"),
        ('password_file = "hub-main.password"', "", "either password or password_file"),
    ],
)
def test_a_mistake_is_named(folder, was, now, sentence):
    file = folder / "hub.toml"
    text = file.read_text()
    assert was in text
    file.write_text(text.replace(was, now))
    with pytest.raises(SettingsError, match=sentence) as found:
        load_hub(file)
    assert str(file) in str(found.value)


def test_api_keys(folder):
    settings = load_hub(folder / "hub.toml")
    keys = folder / "api-keys.toml"
    with pytest.raises(SettingsError, match="no such file"):
        load_api_keys(settings)
    keys.write_text('pos-1 = "0123456789abcdef"\n')
    assert load_api_keys(settings) == {"0123456789abcdef": "pos-1"}
    keys.write_text('pos-1 = "short"\n')
    with pytest.raises(SettingsError, match="at least 16"):
        load_api_keys(settings)
    keys.write_text('a = "0123456789abcdef"\nb = "0123456789abcdef"\n')
    with pytest.raises(SettingsError, match="two names have the same key"):
        load_api_keys(settings)


def test_a_key_of_any_length_is_named_in_a_sentence(folder):
    with (folder / "hub.toml").open("a") as file:
        file.write(f"\n[{'9' * 5000}]\nx = 1\n")
    with pytest.raises(SettingsError) as refused:
        load_hub(folder / "hub.toml")
    assert all(len(problem) < 2000 for problem in refused.value.problems)


@pytest.mark.row("C13")
@pytest.mark.parametrize("node", ["nats-2", "nats-2:0", "nats-2:70000", "a b:1883", ":1883", "fe80::1:1883", "[x]:1"])
def test_a_node_of_a_cluster_that_is_no_address_is_refused(node: str) -> None:
    with pytest.raises(ValueError, match="expected HOST:PORT"):
        host_port(node)


@pytest.mark.row("C13")
@pytest.mark.parametrize(("node", "place"), [("nats-2:1883", ("nats-2", 1883)), ("[fe80::1]:1883", ("fe80::1", 1883))])
def test_a_node_of_a_cluster(node: str, place: tuple[str, int]) -> None:
    assert host_port(node) == place
    settings = MqttSettings(username="store", password="x", shared_user=True, others=(node,))
    address = settings.address(Path("hub.toml"))
    assert (address.others, address.shared_user, address.connect_timeout_s) == ((place,), True, 8.0)
