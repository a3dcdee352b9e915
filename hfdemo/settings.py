"""Everything that the environment may change, read once."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

_HOME = Path("~/.cache/hfdemo")

# What a child needs of the server's environment: where things are, and how the libraries compute. No name of a secret.
_KEPT = re.compile(
    r"(PATH|HOME|USER|LOGNAME|LANG|LANGUAGE|LC_\w+|TZ|TMPDIR|TEMP|TMP|SYSTEMROOT|LD_LIBRARY_PATH|DYLD_\w+|VIRTUAL_ENV"
    r"|PYTHON\w+|XDG_CACHE_HOME|SSL_CERT_\w+|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|GRADIO_TEMP_DIR|HFDEMO_\w+|SPACE_ID"
    r"|HF_\w+|TRANSFORMERS_\w+|TOKENIZERS_\w+|OMP_\w+|MKL_\w+|OPENBLAS_\w+|KMP_\w+|TORCH\w*|PYTORCH_\w+|NCCL_\w+"
    r"|CUDA_\w+|NVIDIA_\w+|HIP_\w+|ROCR_\w+|MASTER_\w+|WORLD_SIZE|RANK|LOCAL_\w+)"
)
_SECRET = re.compile(r"TOKEN|SECRET|PASSW|KEY|CREDENTIAL|AUTH|COOKIE|PRIVATE", re.IGNORECASE)
_NO_SECRETS = ("TOKENIZERS_PARALLELISM",)
_OF_SERVER_ALONE = ("HFDEMO_AUTH",)


def _setting_field(variable: str, default: Any, help: str, *, public: Any = None) -> Any:
    """Declare a setting; `public` is its default on a shared server, where that is another."""
    defaults = {"local": default, "public": default if public is None else public}
    return field(default=None, metadata={"variable": variable, "help": help, **defaults})


@dataclass(frozen=True)
class Settings:
    """One value per environment variable, read by `Settings.from_env()` alone.

    What is left out has the default of its mode: a local server's, or a public one's.
    """

    home: Path = _setting_field("HFDEMO_HOME", _HOME, "folder that holds `runs/` and what the libraries cache")
    public: bool = _setting_field(
        "HFDEMO_PUBLIC",
        False,
        "1 on a shared server: no local paths, safetensors only; a Space is always public",
        public=True,
    )
    model_bytes: int = _setting_field("HFDEMO_MODEL_BYTES", 2 * 1024**3, "memory that loaded models may take together")
    call_seconds: int = _setting_field(
        "HFDEMO_CALL_SECONDS", 0, "longest that one call may take, waiting included; 0 is for ever", public=300
    )
    child_bytes: int = _setting_field(
        "HFDEMO_CHILD_BYTES",
        0,
        "memory of a process that holds models or trains; 0 is all there is",
        public=12 * 1024**3,
    )
    max_characters: int = _setting_field(
        "HFDEMO_MAX_CHARACTERS", 50_000, "longest text that one call may send to a model"
    )
    max_tokenized: int = _setting_field(
        "HFDEMO_MAX_TOKENIZED", 2_000_000, "characters that one call may send to a tokenizer alone"
    )
    max_new_tokens: int = _setting_field(
        "HFDEMO_MAX_NEW_TOKENS",
        4096,
        "tokens that a model writes in one call at most, whatever the call or the model's generation config says",
        public=1024,
    )
    max_rows: int = _setting_field("HFDEMO_MAX_ROWS", 1_000_000, "rows of a data set at most", public=100_000)
    max_data_bytes: int = _setting_field(
        "HFDEMO_MAX_DATA_BYTES",
        1024**3,
        "a data set as text at most, however small its files are, and the files of one on the Hub",
        public=200 * 1024**2,
    )
    max_predicted_rows: int = _setting_field(
        "HFDEMO_MAX_PREDICTED_ROWS", 100_000, "rows of a file that is predicted at once", public=1_000
    )
    max_upload_bytes: int = _setting_field(
        "HFDEMO_MAX_UPLOAD_BYTES", 100 * 1024**2, "largest file that may be uploaded", public=50 * 1024**2
    )
    visitor_upload_bytes: int = _setting_field(
        "HFDEMO_VISITOR_UPLOAD_BYTES",
        20 * 1024**3,
        "uploads of one visitor that are kept; of one address, which many may share, eight times that",
        public=500 * 1024**2,
    )
    upload_bytes: int = _setting_field(
        "HFDEMO_UPLOAD_BYTES", 20 * 1024**3, "uploads and results of all that are kept", public=5 * 1024**3
    )
    upload_seconds: int = _setting_field("HFDEMO_UPLOAD_SECONDS", 24 * 3600, "for which uploads and results are kept")
    uploads_per_minute: int = _setting_field(
        "HFDEMO_UPLOADS_PER_MINUTE", 1_000, "uploads of one visitor; of one address eight times that", public=60
    )
    calls_in_flight: int = _setting_field(
        "HFDEMO_CALLS_IN_FLIGHT",
        256,
        "calls of one visitor that are worked on or wait; of one address eight times that",
        public=32,
    )
    queue_size: int = _setting_field("HFDEMO_QUEUE_SIZE", 1_000, "calls of all that wait at most", public=300)
    sessions: int = _setting_field(
        "HFDEMO_SESSIONS", 300, "open pages that are remembered; about a megabyte each", public=500
    )
    session_seconds: int = _setting_field(
        "HFDEMO_SESSION_SECONDS", 600, "for which a closed page is remembered, in case it was the network", public=120
    )
    run_steps: int = _setting_field("HFDEMO_RUN_STEPS", 0, "optimizer steps of a run at most; 0 is any", public=2_000)
    run_trained_rows: int = _setting_field(
        "HFDEMO_RUN_TRAINED_ROWS", 0, "rows that a run may train on, each as often as it comes; 0 is any", public=32_000
    )
    run_evaluated_rows: int = _setting_field(
        "HFDEMO_RUN_EVALUATED_ROWS", 0, "rows of all evaluations of a run together; 0 is any", public=64_000
    )
    runs_at_work: int = _setting_field(
        "HFDEMO_RUNS_AT_WORK", 0, "runs of all that are at work or wait at most; 0 is any number", public=3
    )
    kept_seconds: int = _setting_field(
        "HFDEMO_KEPT_SECONDS",
        0,
        "for which runs and trained tokenizers are kept after they were last written to; 0 is for ever",
        public=24 * 3600,
    )
    kept_tokenizers: int = _setting_field(
        "HFDEMO_KEPT_TOKENIZERS", 0, "newest trained tokenizers that are kept of each visitor; 0 is all", public=50
    )
    visitor_bytes: int = _setting_field(
        "HFDEMO_VISITOR_BYTES",
        0,
        "runs, searches and trained tokenizers of one visitor together; 0 is any size",
        public=5 * 1024**3,
    )
    home_bytes: int = _setting_field(
        "HFDEMO_HOME_BYTES",
        0,
        "runs, searches and trained tokenizers of all together; 0 is what the disk holds",
        public=20 * 1024**3,
    )
    log_bytes: int = _setting_field(
        "HFDEMO_LOG_BYTES",
        16 * 1024**2,
        "a run's log.txt at most: of more, the beginning and the end",
        public=4 * 1024**2,
    )
    event_bytes: int = _setting_field(
        "HFDEMO_EVENT_BYTES",
        4 * 1024**2,
        "a run's events.jsonl at most: of more, some of what is logged on the way; the end always",
    )
    uploads: Path = _setting_field(
        "GRADIO_TEMP_DIR", Path("cache/gradio"), "folder for uploads and results; unset, it is below the home"
    )
    allowed_hosts: tuple[str, ...] = _setting_field(
        "HFDEMO_ALLOWED_HOSTS", (), "further names of a local server, such as a proxy's, separated by commas"
    )
    auth: Path | None = _setting_field(
        "HFDEMO_AUTH",
        None,
        "file of users with password hashes, who alone are answered then; `python -m hfdemo.users NAME` writes a line",
    )
    owner: str = _setting_field(
        "HFDEMO_OWNER", "", "whose runs, searches and tokenizers there are; unset, everybody's: a server sets it itself"
    )

    def __post_init__(self) -> None:
        mode = "public" if self.public else "local"
        for spec in fields(self):
            if getattr(self, spec.name) is None:
                object.__setattr__(self, spec.name, spec.metadata[mode])

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Read the settings from `environ`; a variable that is unset or empty keeps its default.

        Raises:
            ValueError: a number or a switch that can't be read; the message names the variable.
        """
        values: dict[str, Any] = {}
        for spec in fields(cls):
            text = environ.get(spec.metadata["variable"], "").strip()
            if text:
                values[spec.name] = _parse_value(spec.metadata["variable"], text, type(spec.metadata["local"]))
        if environ.get("SPACE_ID"):
            values["public"] = True
        values["home"] = Path(values.get("home", _HOME)).expanduser().absolute()
        if "auth" in values:
            values["auth"] = values["auth"].expanduser().absolute()
        if "uploads" in values:  # to gradio it is relative to where the server is started
            values["uploads"] = values["uploads"].absolute()
        return cls(**values)

    def make_home(self) -> None:
        """Make the home folder, and check that files can be written there.

        Raises:
            ValueError: they can't; the message says what to do.
        """
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            with TemporaryFile(dir=self.home):
                pass
        except OSError as error:
            reason = error.strerror or str(error)
            raise ValueError(
                f"Nothing can be written to {self.home} ({reason}). Set HFDEMO_HOME to a folder that is yours."
            ) from error

    def cache_folders(self, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
        """Return the variables that keep what libraries write below the home folder; what `environ` sets, stays.

        Downloads stay in the Hub's own cache, which other programs share, where that can be written to.
        """
        caches = self.home / "cache"
        usual = Path(environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "huggingface"
        shared = usual if _can_be_written(usual) else caches / "huggingface"
        folders = {
            "GRADIO_TEMP_DIR": self.upload_folder,
            "HF_HOME": shared,
            **{f"HF_{name}_CACHE": caches / name.lower() for name in ("DATASETS", "MODULES", "EVALUATE", "METRICS")},
            "TORCHINDUCTOR_CACHE_DIR": caches / "torchinductor",
        }
        if environ.get("HF_HOME"):
            folders = {name: folder for name, folder in folders.items() if not name.startswith("HF_")}
        return {name: str(folder) for name, folder in folders.items() if not environ.get(name)}

    def of_owner(self, owner: str) -> Settings:
        """Return these settings for what belongs to `owner` alone; "" is for what is everybody's."""
        return self if owner == self.owner else replace(self, owner=owner)

    @property
    def upload_folder(self) -> Path:
        """The folder in which gradio keeps what visitors send, and what it may hand out."""
        return self.home / self.uploads

    @property
    def temporary_folder(self) -> Path:
        """The folder for temporary files of the children of a public server."""
        return self.home / "cache" / "temporary"

    @property
    def is_shared(self) -> bool:
        """Whether several people use this server, each of whom sees their own runs and files alone."""
        return self.public or self.auth is not None

    @property
    def runs(self) -> Path:
        """The folder with one sub-folder per run."""
        return self.home / "runs"


def describe_settings() -> str:
    """Return the README's table of the settings."""
    rows = ["| variable | local | public | what it is |", "|---|---|---|---|"]
    for spec in fields(Settings):
        local, public = (_write_default(spec.metadata[mode]) for mode in ("local", "public"))
        rows.append(f"| `{spec.metadata['variable']}` | {local} | {public} | {spec.metadata['help']} |")
    return "\n".join(rows)


def _write_default(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, Path):
        return f"`{value}`"
    return "none" if value in ((), "", None) else str(value)


def child_environment(settings: Settings) -> dict[str, str]:
    """Return the environment of a child of the server: it finds this package, and has the same settings.

    Relative model paths keep their meaning, wherever the server was started. Of a shared server it gets no secret.
    """
    path = os.pathsep.join(filter(None, (str(Path(__file__).parents[1].resolve()), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "HFDEMO_HOME": str(settings.home), "PYTHONPATH": path}
    environment["HFDEMO_OWNER"] = settings.owner
    if not settings.public:
        return environment
    # A folder of their own: what else lies in the system's is not theirs to see.
    settings.temporary_folder.mkdir(parents=True, exist_ok=True)
    return {**scrub_environment(environment), "HFDEMO_PUBLIC": "1", "TMPDIR": str(settings.temporary_folder)}


def scrub_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what of an environment a child of a shared server gets."""
    harmless = {*_NO_SECRETS, *(spec.metadata["variable"] for spec in fields(Settings))} - {*_OF_SERVER_ALONE}
    return {
        name: value
        for name, value in environment.items()
        if name in harmless or (_KEPT.fullmatch(name) and not _SECRET.search(name))
    }


def _can_be_written(folder: Path) -> bool:
    """Return whether `folder` is there, or could be made, by this user."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return os.access(folder, os.W_OK | os.X_OK)


def _parse_value(variable: str, text: str, kind: type) -> Any:
    if kind is bool:
        switch = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}.get(text.lower())
        if switch is None:
            raise ValueError(f"{variable} is a switch, but was set to {text!r}. Use 1 or 0.")
        return switch
    if kind is int:
        if not text.isdigit():
            raise ValueError(f"{variable} is a whole number, but was set to {text!r}.")
        return int(text)
    if kind is tuple:
        return tuple(name.strip().lower() for name in text.split(",") if name.strip())
    return text if kind is str else Path(text)


if __name__ == "__main__":
    print(describe_settings())
