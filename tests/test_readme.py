"""The README is true: each of its blocks is run as it stands, and prints what stands below it.

The address of a block becomes that of a server of the tests. `make` is only asked what it would do: it installs, and
`make test` would run this. No other block is left out, and none can be: a kind that nothing here runs is an error.
"""

import asyncio
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

from hfdemo.api.endpoints import ENDPOINTS
from tests.conftest import ROOT, Server, free_port
from tests.test_house import pins

README = (ROOT / "README.md").read_text(encoding="utf-8")
LOCAL, PUBLIC = "http://127.0.0.1:7860", "https://HOST"
PASSWORD = "a password of the tests"
ASKS = re.compile(r"(assword|again)[^\n:]*: ?$")
SERVES = re.compile(r"^((?:\w+=\S+ )*python app\.py)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block: the heading above it, its language, its text, and the output that the block below it shows."""

    heading: str
    language: str
    text: str
    prints: str | None = None


def read_blocks(document: str) -> list[Block]:
    """Return all fenced blocks; one of `text` belongs to the one above it."""
    found: list[Block] = []
    heading = ""
    for match in re.finditer(r"^## (.*)$|^```(.*)\n((?:.*\n)*?)```$", document, re.MULTILINE):
        title, language, text = match.groups()
        if title is not None:
            heading = title
        elif language == "text":
            above = found.pop()
            assert above.prints is None, "an output has its block above it"
            found.append(Block(above.heading, above.language, above.text, text))
        else:
            found.append(Block(heading, language, text))
    return found


BLOCKS = read_blocks(README)


def blocks_of(*languages: str) -> list[Block]:
    return [block for block in BLOCKS if block.language in languages]


def name_of(block: Block) -> str:
    return f"{block.heading} {block.text.splitlines()[-1][:30]}"


def forget_digits(text: str) -> str:
    """Return the text with its numbers made alike: they are a machine's own in their last digits."""
    return re.sub(r"\d+(\.\d+)?(e-?\d+)?", "0", text).strip()


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    """A folder that looks like the repository, in which a block may write."""
    for path in ROOT.iterdir():
        if path.name != ".git":
            (tmp_path / path.name).symlink_to(path)
    return tmp_path


def environment_of(folder: Path) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {**os.environ, "HFDEMO_HOME": str(folder / "home"), "PATH": path}


def write_script(text: str, port: int) -> str:
    """Return a shell's script that does what the block says: a server is waited for, and ended at the end."""
    waiting = f"until curl -s -o /dev/null http://127.0.0.1:{port}; do sleep 0.3; done"
    served = SERVES.sub(rf"GRADIO_SERVER_PORT={port} \1 > server.log 2>&1 & server=$!\n{waiting}", text)
    asked = re.sub(r"^make (\w+)", r"make --dry-run \1 > /dev/null", served, flags=re.MULTILINE)
    return f"set -e\n{asked}" + ("kill $server\n" if served != text else "")


def test_every_block_is_of_a_kind_that_is_run_or_looked_up_here() -> None:
    assert {block.language for block in BLOCKS} <= {"python", "sh", "bash", "json", ""}
    listings = {block.heading for block in blocks_of("")}
    assert listings == {"Fine-tune without the page", "The rooms"}, "see below, and tests/test_house.py"
    assert len(blocks_of("python", "sh", "bash")) > 5


def test_the_versions_of_the_first_lines_are_the_pins() -> None:
    line = next(line for line in README.splitlines() if line.startswith("`Apache-2.0`"))
    assert f"`Gradio {pins()['gradio']}`" in line
    assert f"`transformers {pins()['transformers']}`" in line
    assert 'requires-python = ">=3.11"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert "Apache License" in (ROOT / "LICENSE").read_text(encoding="utf-8")


def test_every_anchor_is_a_heading() -> None:
    headings = {
        re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^#+ (.*)$", README, re.M)
    }
    assert set(re.findall(r"\]\(#([\w-]+)\)", README)) <= headings


@pytest.mark.slow
@pytest.mark.parametrize("block", blocks_of("python"), ids=name_of)
def test_a_block_of_python_runs_and_prints_what_is_shown(block: Block, server: Server, workplace: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", block.text.replace(LOCAL, server.url)],
        cwd=workplace,
        env=environment_of(workplace),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = "\n".join(line for line in done.stdout.splitlines() if not line.startswith("Loaded as API"))
    assert forget_digits(said) == forget_digits(block.prints or "")


def run_in_terminal(script: str, folder: Path) -> tuple[int, str]:
    """Run a shell's script in a terminal, typing the password where it is asked for; return its code and its words."""
    said = ""
    with subprocess.Popen(
        ["script", "-qec", f"bash {script}", "/dev/null"],
        cwd=folder,
        env=environment_of(folder),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        while piece := os.read(process.stdout.fileno(), 4096):
            said += piece.decode()
            if ASKS.search(said):
                process.stdin.write(f"{PASSWORD}\n".encode())
                process.stdin.flush()
    return process.returncode, said.replace("\r\n", "\n")


@pytest.mark.slow
@pytest.mark.parametrize("block", blocks_of("sh", "bash"), ids=name_of)
def test_a_block_of_shell_runs_and_prints_what_is_shown(
    block: Block, server: Server, request: pytest.FixtureRequest, workplace: Path
) -> None:
    port = free_port()
    text = block.text.replace(LOCAL, f"http://127.0.0.1:{port}" if SERVES.search(block.text) else server.url)
    if PUBLIC in text:
        text = text.replace(PUBLIC, request.getfixturevalue("public").url)
    (workplace / "block.sh").write_text(write_script(text, port), encoding="utf-8")
    code, said = run_in_terminal("block.sh", workplace)
    assert code == 0, said
    assert "error" not in said.lower(), said
    if block.prints is not None:
        assert forget_digits(said) == forget_digits(block.prints)
    listing = next((each.text for each in blocks_of("") if each.heading == block.heading), "")
    for run in (workplace / "home" / "runs").glob("*"):
        named = {line.split()[0].rstrip("/") for line in listing.splitlines() if line[:1].strip()}
        assert {path.name for path in run.iterdir() if not path.name.startswith(".")} <= named


@pytest.mark.slow
@pytest.mark.parametrize("block", blocks_of("json"), ids=lambda block: block.heading)
def test_the_configuration_of_an_agent_finds_every_endpoint_as_a_tool(block: Block, server: Server) -> None:
    address = json.loads(block.text)["mcpServers"]["hfdemo"]["url"].replace(LOCAL, server.url)

    async def list_tools() -> list[str]:
        async with streamable_http_client(address) as (read, write, _), ClientSession(read, write) as session:
            await session.initialize()
            return [tool.name for tool in (await session.list_tools()).tools]

    found = asyncio.run(list_tools())
    assert len(found) >= len(ENDPOINTS)
    assert any(name.endswith("text_classification") for name in found)
