"""The engine on the GPU; the CPU engine takes the same settings, with defaults of its own."""

from appliance_cli.config.kinds import Choice, Image, Matching, Memory, Number, Whole
from appliance_cli.config.table.setting import Chinese, Section, Setting

# TGI 3.3.7's own words: launcher/src/main.rs, Quantization.
_QUANTIZE = (
    "awq",
    "bitsandbytes",
    "bitsandbytes-fp4",
    "bitsandbytes-nf4",
    "compressed-tensors",
    "eetq",
    "exl2",
    "fp8",
    "gptq",
    "marlin",
)
_ENGINE = ("tgi",)

SECTION = Section(
    "The GPU engine (TGI)",
    (
        Setting(
            "TGI_IMAGE",
            says="The engine's image.",
            when="ghcr.io does not answer: name a mirror of the image",
            kind=Image(),
            default="ghcr.io/huggingface/text-generation-inference:3.3.7",
            services=_ENGINE,
        ),
        Setting(
            "GPU_DEVICE",
            says="Which card: index or UUID as nvidia-smi -L shows it. Prefer the UUID on a host with "
            "several cards: indices move.",
            when="there are several cards: `./scripts/appliance gpu --pick`",
            kind=Matching(r"\S+", "an index or UUID as nvidia-smi -L shows it"),
            default="0",
            with_up="the RTX 4090, by its UUID",
            services=("tgi", "gpu-metrics"),
            common=True,
            zh=Chinese("有多块显卡：`./scripts/appliance gpu --pick`", with_up="RTX 4090，按 UUID 固定"),
        ),
        Setting(
            "QUANTIZE",
            says="How the weights are quantized when they are loaded; used only without "
            "scripts/appliance, which has MODE.",
            when="plain Compose is to serve other weights",
            kind=Choice(_QUANTIZE),
            default="bitsandbytes-nf4",
            services=_ENGINE,
        ),
        Setting(
            "CUDA_MEMORY_FRACTION",
            says="The share of the card's memory that TGI may take. 0.70 of 24 GB is 16 GB.",
            when="nothing else uses the card: up to 0.97",
            kind=Number(0.05, 1),
            default="0.70",
            with_up="what TARGET_VRAM leaves",
            services=_ENGINE,
            common=True,
            zh=Chinese("没有别的程序使用这块显卡：最高 0.97", with_up="按 TARGET_VRAM 计算"),
        ),
        Setting(
            "MAX_INPUT_TOKENS",
            says="Longest prompt, in tokens.",
            when="documents are longer",
            kind=Whole(1, 1_000_000),
            default="7168",
            cpu_default="3072",
            services=_ENGINE,
            common=True,
            zh=Chinese("文档更长"),
        ),
        Setting(
            "MAX_TOTAL_TOKENS",
            says="Longest prompt and answer together, in tokens.",
            when="conversations are longer",
            kind=Whole(2, 1_000_000),
            default="8192",
            cpu_default="4096",
            services=(*_ENGINE, "openai-api"),
            common=True,
            zh=Chinese("对话更长"),
        ),
        Setting(
            "MAX_BATCH_PREFILL_TOKENS",
            says="Prompt tokens computed in one step; longer prompts take several.",
            when="many feed long documents: 2048 makes the answers of others pause less",
            kind=Whole(1, 1_000_000),
            default="4096",
            services=_ENGINE,
            common=True,
            zh=Chinese("许多人提交长文档：设为 2048 时其他人的回答停顿更短"),
        ),
        Setting(
            "MAX_CONCURRENT_REQUESTS",
            says='Requests beyond this are answered "Model is overloaded" at once. Not above 128: a step '
            "of more answers runs without a CUDA graph.",
            when="fewer people are to be answered at a time",
            kind=Whole(1, 100_000),
            default="128",
            services=("nginx", "tgi"),
        ),
        Setting(
            "ENGINE_MEMORY",
            says="Host memory that the engine may use.",
            when="the model is larger, or the host smaller",
            kind=Memory(),
            default="24g",
            cpu_default="8g",
            services=_ENGINE,
        ),
    ),
)
