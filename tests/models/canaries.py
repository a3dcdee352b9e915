"""Repositories that name files of the machine, each in another place, and what of them is heard through every route.

`CANARIES` maps the name of a repository to what is changed in `base_files`. A canary fires when anything in the folder
of the canaries is opened, or when the secret in them shows up anywhere.
"""

import ctypes
import json
import os
import struct
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

SECRET = "qqxsecretwordqqx"
IN_OPEN = 0x20

# What is done to the files of an honest repository, given the folder of the canaries.
Change = Callable[[dict[str, bytes], str], None]


def put_canaries(folder: Path) -> None:
    """Write files that hold the secret as a vocabulary, a config or anything else would."""
    folder.mkdir()
    words = f"{SECRET}\n[UNK]\n{SECRET} 1\n"
    vocabulary = json.dumps({"[UNK]": 0, SECRET: 1})
    for name, text in {
        "words.txt": words,
        "words.json": vocabulary,
        "config.json": json.dumps({"model_type": "bert", "finetuning_task": SECRET}),
        "config.4.0.0.json": json.dumps({"model_type": "bert", "architectures": [SECRET]}),
        "tokenizer.4.0.0.json": vocabulary,
    }.items():
        (folder / name).write_text(text, encoding="utf-8")


def base_files() -> dict[str, bytes]:
    """A tiny BERT with a vocabulary in every form that a tokenizer of the library may ask for."""
    import torch
    from transformers import BertConfig, BertForMaskedLM

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "<s>", "</s>", "<unk>", "<pad>", "<mask>", *"abcdefgh"]
    vocabulary = {word: index for index, word in enumerate(words)}
    with tempfile.TemporaryDirectory() as folder:
        torch.manual_seed(0)
        sizes: dict[str, Any] = {"num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
        config = BertConfig(vocab_size=len(words), hidden_size=8, max_position_embeddings=32, **sizes)
        BertForMaskedLM(config).save_pretrained(folder)
        files = {path.name: path.read_bytes() for path in Path(folder).iterdir()}
    texts = {"vocab.txt": "\n".join(words) + "\n", "merges.txt": "#version: 0.2\na b\n", "bpe.codes": "a b 1\n"}
    jsons: dict[str, Any] = {
        **dict.fromkeys(("vocab.json", "vocab-src.json", "vocab-tgt.json"), vocabulary),
        **dict.fromkeys(("word_shape.json", "word_pronunciation.json"), vocabulary),
        "entity_vocab.json": {"[MASK]": 0, "[PAD]": 1, "[UNK]": 2, "[MASK2]": 3},
        "emoji.json": {"emoji": {}, "emoji_inv": {}},
        "byte_maps.json": {"decompose_map": {}, "merge_map": {}},
        "tokenizer_config.json": {},
    }
    files |= {name: text.encode() for name, text in texts.items()}
    files |= {name: json.dumps(value).encode() for name, value in jsons.items()}
    files["prophetnet.tokenizer"] = files["vocab.txt"]
    return files


def _edit(files: dict[str, bytes], name: str, **values: Any) -> None:
    files[name] = json.dumps({**json.loads(files.get(name, b"{}")), **values}).encode()


def _argument(
    tokenizer: str, file: str, key: str, wrap: Callable[[str], Any] = lambda folder: f"{folder}/words.txt"
) -> Change:
    def change(files: dict[str, bytes], folder: str) -> None:
        _edit(files, "tokenizer_config.json", tokenizer_class=tokenizer)
        _edit(files, file, **{key: wrap(folder)})

    return change


def _config(file: str, wrap: Callable[[str], Mapping[str, Any]], without: tuple[str, ...] = ()) -> Change:
    def change(files: dict[str, bytes], folder: str) -> None:
        for name in without:
            files.pop(name)
        _edit(files, file, **wrap(folder))

    return change


_TEXT_CLASSES = (
    *(
        "BertTokenizer",
        "EsmTokenizer",
        "SplinterTokenizer",
        "BertTokenizerLegacy",
        "TapasTokenizer",
        "RoCBertTokenizer",
    ),
    *("BertweetTokenizer", "PhobertTokenizer", "ProphetNetTokenizer", "CpmAntTokenizer", "BertJapaneseTokenizer"),
    "GPTNeoXJapaneseTokenizer",
)
_JSON_CLASSES = (
    *("GPT2Tokenizer", "RobertaTokenizer", "BioGptTokenizer", "CTRLTokenizer", "MyT5Tokenizer", "VitsTokenizer"),
    *("Wav2Vec2CTCTokenizer", "LukeTokenizer", "MgpstrTokenizer", "FlaubertTokenizer", "XLMTokenizer"),
    *("BlenderbotSmallTokenizer", "FastSpeech2ConformerTokenizer", "WhisperTokenizer", "PreTrainedTokenizerFast"),
)
_OTHER_KEYS = {
    "BertweetTokenizer": "merges_file",
    "CTRLTokenizer": "merges_file",
    "FSMTTokenizer": "src_vocab_file",
    "RoCBertTokenizer": "word_shape_file",
    "GPTNeoXJapaneseTokenizer": "emoji_file",
    "WhisperTokenizer": "normalizer_file",
    "BertJapaneseTokenizer": "spm_file",
    "PreTrainedTokenizerFast": "tokenizer_file",
    "LukeTokenizer": "entity_vocab_file",
}


def _climb(path: str) -> str:
    """The same path from any folder on the machine, which tests for a leading slash don't see."""
    return "../" * 40 + path.lstrip("/")


def _move_index(files: dict[str, bytes], folder: str) -> None:
    files["model-00001-of-00001.safetensors"] = files.pop("model.safetensors")
    tensors = ["bert.embeddings.word_embeddings.weight"]
    files["model.safetensors.index.json"] = json.dumps(
        {"metadata": {}, "weight_map": dict.fromkeys(tensors, f"{folder}/words.txt")}
    ).encode()


def _one_former(files: dict[str, bytes], folder: str) -> None:
    _edit(
        files,
        "preprocessor_config.json",
        image_processor_type="OneFormerImageProcessor",
        repo_path=folder,
        class_info_file="words.json",
    )


def _adapter(**more: Any) -> Change:
    def change(files: dict[str, bytes], folder: str) -> None:
        files["adapter_model.safetensors"] = files.pop("model.safetensors")
        del files["config.json"]
        _edit(files, "adapter_config.json", peft_type="LORA", r=1, target_modules=["query"], task_type="SEQ_CLS")
        _edit(files, "adapter_config.json", base_model_name_or_path="embedded:minilm")
        _edit(files, "adapter_config.json", **json.loads(json.dumps(more).replace("CANARIES", folder)))

    return change


CANARIES: dict[str, Change] = {
    **{f"map-vocab_file-{name}": _argument(name, "special_tokens_map.json", "vocab_file") for name in _TEXT_CLASSES},
    **{
        f"map-vocab_file-{name}": _argument(
            name, "special_tokens_map.json", "vocab_file", lambda folder: f"{folder}/words.json"
        )
        for name in _JSON_CLASSES
    },
    **{f"map-{key}-{name}": _argument(name, "special_tokens_map.json", key) for name, key in _OTHER_KEYS.items()},
    **{
        f"config-vocab-{name}": _argument(name, "tokenizer_config.json", "vocab")
        for name in ("BertTokenizer", "EsmTokenizer", "SplinterTokenizer", "GPT2Tokenizer", "LukeTokenizer")
    },
    "map-vocab-BertTokenizer": _argument("BertTokenizer", "special_tokens_map.json", "vocab"),
    "config-merges-GPT2Tokenizer": _argument("GPT2Tokenizer", "tokenizer_config.json", "merges"),
    "config-vocab_file-EsmTokenizer": _argument("EsmTokenizer", "tokenizer_config.json", "vocab_file"),
    "config-entity_vocab-LukeTokenizer": _argument("LukeTokenizer", "tokenizer_config.json", "entity_vocab"),
    "config-init_inputs-BertTokenizer": _argument(
        "BertTokenizer", "tokenizer_config.json", "init_inputs", lambda folder: [f"{folder}/words.txt"]
    ),
    "config-init_inputs-CpmAntTokenizer": _argument(
        "CpmAntTokenizer", "tokenizer_config.json", "init_inputs", lambda folder: [f"{folder}/words.txt"]
    ),
    "config-climb-fast_tokenizer_files": _argument(
        "BertTokenizer",
        "tokenizer_config.json",
        "fast_tokenizer_files",
        lambda folder: [_climb(folder) + "/tokenizer.4.0.0.json"],
    ),
    "config-extra_special_tokens-vocab_file": _argument(
        "EsmTokenizer",
        "tokenizer_config.json",
        "extra_special_tokens",
        lambda folder: {"vocab_file": f"{folder}/words.txt"},
    ),
    "config-gguf_file": _argument("PreTrainedTokenizerFast", "tokenizer_config.json", "gguf_file"),
    "config-chat_template_file": _argument("BertTokenizer", "tokenizer_config.json", "chat_template_file"),
    "byte_maps-decompose_map": _argument("MyT5Tokenizer", "byte_maps.json", "decompose_map"),
    "model-configuration_files": _config(
        "config.json", lambda folder: {"configuration_files": [_climb(folder) + "/config.4.0.0.json"]}
    ),
    "model-configuration_files-absolute": _config(
        "config.json", lambda folder: {"configuration_files": [f"{folder}/config.4.0.0.json"]}
    ),
    "model-transformers_weights": _config(
        "config.json", lambda folder: {"transformers_weights": f"{folder}/words.txt"}
    ),
    "model-auto_map": _config("config.json", lambda folder: {"auto_map": {"AutoConfig": f"{folder}--a.B"}}),
    "index-absolute": _move_index,
    "index-climb": lambda files, folder: _move_index(files, _climb(folder)),
    "processor-OneFormer": _one_former,
    "processor-audio_tokenizer": _config(
        "processor_config.json",
        lambda folder: {
            "processor_class": "DiaProcessor",
            "audio_tokenizer": {
                "audio_tokenizer_class": "DacModel",
                "audio_tokenizer_name_or_path": folder,
            },
        },
    ),
    "processor-audio_tokenizer_config": _config(
        "audio_tokenizer_config.json",
        lambda folder: {"audio_tokenizer_class": "DacModel", "audio_tokenizer_name_or_path": folder},
    ),
    "adapter-base": _adapter(base_model_name_or_path="CANARIES"),
    "adapter-megatron_core": _adapter(megatron_core="antigravity", megatron_config={"a": 1}),
    "adapter-corda": _adapter(init_lora_weights="corda", corda_config={"cache_file": "CANARIES/words.txt"}),
}


class Watch:
    """The files of a folder that this process opened, by Python or by any other code in it (inotify, on Linux)."""

    def __init__(self, folder: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._events = libc.inotify_init1(os.O_NONBLOCK)
        assert self._events >= 0
        assert libc.inotify_add_watch(self._events, bytes(folder), IN_OPEN) >= 0

    def opened(self) -> list[str]:
        """List what was opened since this was last asked."""
        names = []
        with suppress(BlockingIOError):
            while True:
                events, start = os.read(self._events, 65536), 0
                while start < len(events):
                    length = struct.unpack_from("iIII", events, start)[3]
                    names.append(events[start + 16 : start + 16 + length].rstrip(b"\0").decode())
                    start += 16 + length
        return names


def routes(reference: str, settings: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
    """The ways by which a visitor reaches the files of a model."""
    from hfdemo.finetuning.config import RunConfig
    from hfdemo.finetuning.kinds import find_kind
    from hfdemo.finetuning.preflight import SlowChecks
    from hfdemo.inference.predict import predict
    from hfdemo.models.cache import ModelCache
    from hfdemo.models.folders import local_folder
    from hfdemo.models.model_facts import infer_task, model_facts
    from hfdemo.models.processors import load_processors
    from hfdemo.models.reference import ModelRef
    from hfdemo.tasks import TASKS

    ref, models = ModelRef.parse(reference), ModelCache(settings)

    def tokenize() -> Any:
        with models.hold_tokenizer(ref) as tokenizer, tempfile.TemporaryDirectory() as folder:
            found = [tokenizer.get_vocab(), tokenizer("a b"), repr(tokenizer)]
            tokenizer.save_pretrained(folder)
            return [*found, [path.read_bytes() for path in Path(folder).iterdir()]]

    def check_training() -> Any:
        config = RunConfig(dataset="none", model=reference, labels=("a", "b"))
        return SlowChecks(settings).check_can_be_trained(config, find_kind(config.task))

    yield "tokenize", tokenize
    yield "predict", lambda: predict(models, TASKS["fill-mask"], ref, {"text": "a [MASK] b"})
    yield "facts", lambda: (model_facts(ref, settings), infer_task(ref, settings))
    yield "ready", lambda: SlowChecks(settings).check_is_there(reference)
    yield "train", check_training
    for name in ("image_processor", "processor"):
        yield (
            name,
            partial(lambda name: load_processors(local_folder(ref, settings, weights=False), [name], settings), name),
        )


def hear(reference: str, settings: Any, watch: Watch) -> tuple[list[str], list[str]]:
    """Return what of the canaries is heard through any route, and which routes led to an answer."""
    fired, answered = [], []
    for name, reach in routes(reference, settings):
        watch.opened()
        said: Any = ""
        try:
            said = reach()
            answered.append(name)
        except BaseException as error:  # whatever the library raises may hold the secret
            said = [repr(error), repr(error.__cause__), repr(error.__context__)]
        opened = watch.opened()
        if opened:
            fired.append(f"{name}: opened {opened[0]}")
        if SECRET in repr(said):
            fired.append(f"{name}: told")
        if "antigravity" in sys.modules:
            fired.append(f"{name}: imported")
            del sys.modules["antigravity"]
    return fired, answered


def download(references: list[str], settings: Any, watch: Watch) -> dict[str, tuple[list[str], list[str]]]:
    """Download every reference, which is mostly waiting, and return what is heard meanwhile."""
    from hfdemo.models.folders import local_folder
    from hfdemo.models.reference import ModelRef

    with ThreadPoolExecutor(8) as threads:
        folders = list(threads.map(lambda name: local_folder(ModelRef.parse(name), settings), references))
    return {"all": (watch.opened(), [folder.name for folder in folders])}


def main() -> None:
    """Print, as JSON, what fires and which routes answer of each reference.

    The argument is JSON, too: the home, the folder of the canaries, whether it is public, whether they are downloaded
    and no more, and the references.
    """
    import logging

    from hfdemo.models import hub
    from hfdemo.settings import Settings

    home, canaries, public, only_download, references = json.loads(sys.argv[1])
    logging.disable()
    hub.HUB_SECONDS = 60.0  # a busy machine's Hub is slow, and how long people wait for one is not what is tried here
    settings, watch = Settings(home=Path(home), public=public), Watch(Path(canaries))
    if only_download:
        print(json.dumps(download(references, settings, watch)))
    else:
        print(json.dumps({reference: hear(reference, settings, watch) for reference in references}))


if __name__ == "__main__":
    main()
