"""The GPU engine's modes: what ./scripts/appliance plans the engine's numbers from."""

from appliance_cli.config.kinds import Choice, Matching, Number, Whole
from appliance_cli.config.table.setting import Chinese, Section, Setting

MOST_CARDS = 16
WHOLE_CARD = "all"

SECTION = Section(
    "The GPU engine's modes: read by ./scripts/appliance, which plans the numbers above from them",
    (
        Setting(
            "MODE",
            says="How the weights are held: nf4, bf16, awq, gptq, fp8 or eetq. ./scripts/appliance plan "
            "--mode … says what each of them fits.",
            when="other weights suit you better: see services/tgi/README.md",
            kind=Choice(("nf4", "bf16", "awq", "gptq", "fp8", "eetq")),
            default="nf4",
            common=True,
            zh=Chinese("别的权重格式更合适：见 services/tgi/README.md"),
        ),
        Setting(
            "TARGET_VRAM",
            says="GiB that the engine stays below. 16 leaves a third of an RTX 4090 to other programs; all "
            "is the whole card.",
            when="other programs use the card, too",
            kind=Number(1, 1024, WHOLE_CARD),
            empty="the whole card",
            common=True,
            zh=Chinese("别的程序也要用这块显卡", empty="整块显卡"),
        ),
        Setting(
            "FAST_NF4",
            says="1: nf4 with newer 4-bit kernels, two to three times as fast for several people, "
            "which model-init fetches beside the model; 0: those of TGI's image.",
            when="the newer ones make trouble",
            kind=Choice(("0", "1")),
            default="1",
            services=("model-init", "tgi"),
        ),
        Setting(
            "KV_CACHE_DTYPE",
            says="fp8_e4m3fn or fp8_e5m2: keys and values in 8 bits, twice the tokens.",
            when="more conversations are to fit",
            kind=Choice(("fp8_e4m3fn", "fp8_e5m2")),
            empty="the model's own 16 bits",
        ),
        Setting(
            "SPECULATE",
            says="Tokens that are guessed ahead from the text so far (n-gram).",
            when="answers repeat the prompt",
            kind=Whole(0, 10),
            default="0",
        ),
        Setting(
            "LORA_ADAPTERS",
            says="NAME=FOLDER,…: LoRA adapters in the models volume. Switches prefix caching and CUDA "
            "graphs off.",
            when="adapters are to be served beside the model",
            kind=Matching(
                r"\s*[A-Za-z0-9][\w.-]*=[\w./-]+\s*(?:,\s*[A-Za-z0-9][\w.-]*=[\w./-]+\s*)*",
                "NAME=FOLDER[,NAME=FOLDER…], each folder below /models: the engine reaches no hub",
            ),
        ),
        Setting(
            "TENSOR_PARALLEL",
            says="Cards that share one model; with TGI_REPLICAS engines it takes that many times the cards.",
            when="one card cannot hold the model",
            kind=Whole(1, MOST_CARDS),
            default="1",
            common=True,
            zh=Chinese("一块显卡装不下模型"),
        ),
        Setting(
            "TGI_REPLICAS",
            says="Engines that each have the whole model.",
            when="there are several cards: each engine takes one, for that many times the people",
            kind=Whole(1, MOST_CARDS),
            default="1",
            services=("tgi",),
            common=True,
            zh=Chinese("有多块显卡：每个引擎占一块，可服务的人数随之成倍增加"),
        ),
        Setting(
            "GPU_DEVICES",
            says="With several cards: their UUIDs, separated by commas, in the engines' order.",
            when="other cards are to be used",
            kind=Matching(
                r"[^\s,]+(?:\s*,\s*[^\s,]+)*", "indexes or UUIDs as nvidia-smi -L shows them, with commas"
            ),
            empty="RTX 4090s first, then the largest",
        ),
    ),
)
