"""Troubles of TGI: its known lines, and what makes it slow without a word."""

from appliance_cli.doctor.troubles.trouble import Trouble

ENGINE = (
    Trouble(
        "tgi-warmup-memory",
        "`Not enough memory to handle … prefill tokens`",
        "VRAM is short in warm-up: the largest prefill does not fit",
        "lower `MAX_BATCH_PREFILL_TOKENS` (2048), then `MAX_INPUT_TOKENS`; or raise `TARGET_VRAM` or "
        "`CUDA_MEMORY_FRACTION`",
        (
            "预热时显存不足：放不下最大的预填充批次",
            "调低 `MAX_BATCH_PREFILL_TOKENS`（如 2048），再调低 `MAX_INPUT_TOKENS`；或调高 "
            "`TARGET_VRAM`、`CUDA_MEMORY_FRACTION`",
        ),
        log=r"Not enough memory to handle \d+ prefill tokens",
        service="tgi",
    ),
    Trouble(
        "tgi-kv-memory",
        "`NotEnoughMemory(…)`",
        "`MAX_TOTAL_TOKENS` is more than the KV cache holds",
        "lower `MAX_TOTAL_TOKENS`, or raise `TARGET_VRAM` or `CUDA_MEMORY_FRACTION`",
        (
            "`MAX_TOTAL_TOKENS` 超过了 KV 缓存的容量",
            "调低 `MAX_TOTAL_TOKENS`，或调高 `TARGET_VRAM`、`CUDA_MEMORY_FRACTION`",
        ),
        log=r"NotEnoughMemory\(",
        service="tgi",
    ),
    Trouble(
        "tgi-kv-allocation",
        "`cannot access local variable 'num_tokens'`",
        "VRAM ran out in the very first allocation of the KV cache",
        "see who else holds the card; lower `CUDA_MEMORY_FRACTION` by 0.05",
        ("第一次分配 KV 缓存时显存就用完了", "看看还有谁在用显卡；把 `CUDA_MEMORY_FRACTION` 调低 0.05"),
        log=r"cannot access local variable 'num_tokens'",
        service="tgi",
    ),
    Trouble(
        "tgi-graphs",
        "`Decode cuda graph warmup failed`",
        "it serves, but without CUDA graphs: slowly",
        "lower `CUDA_MEMORY_FRACTION` by 0.03, so that the graphs have room",
        ("能运行，但没有 CUDA graph，速度慢", "把 `CUDA_MEMORY_FRACTION` 调低 0.03，给 graph 留出空间"),
        log=r"Decode cuda graph warmup failed",
        service="tgi",
        harmless=True,
    ),
    Trouble(
        "tgi-host-memory",
        "`signaled to shutdown with signal 9`",
        "the host's memory, or the container's part of it, was short while loading",
        "close other programs, or raise `ENGINE_MEMORY`",
        ("加载时主机内存（或容器的内存上限）不够", "关闭其他程序，或调高 `ENGINE_MEMORY`"),
        log=r"signaled to shutdown with signal 9",
        service="tgi",
    ),
    Trouble(
        "tgi-vram-running",
        "`CUDA out of memory`, `OutOfMemoryError`",
        "VRAM ran out while it served: another program took some, or the fraction is too high",
        "see who else holds the card; lower `CUDA_MEMORY_FRACTION` by 0.03",
        (
            "运行中显存用完：别的程序占用了显存，或比例设得太高",
            "看看还有谁在用显卡；把 `CUDA_MEMORY_FRACTION` 调低 0.03",
        ),
        log=r"CUDA out of memory|OutOfMemoryError",
        service="tgi",
    ),
    Trouble(
        "tgi-driver",
        "`CUDA driver version is insufficient`, `no kernel image is available`",
        "the driver is older than the image's CUDA, or the card older than its kernels",
        "driver 570 or newer; a card of compute capability 8.0 or newer",
        ("驱动比镜像的 CUDA 旧，或显卡比镜像支持的型号旧", "安装 570 或更新的驱动；显卡的计算能力至少为 8.0"),
        log=r"CUDA driver version is insufficient|no kernel image is available|UnsupportedPTX",
        service="tgi",
    ),
    Trouble(
        "tgi-bitsandbytes",
        "`CUDA Setup failed`, `compiled without GPU support`",
        "bitsandbytes took a library without a GPU: `BNB_CUDA_VERSION` was changed, or the image is another",
        "leave `BNB_CUDA_VERSION` as docker-compose.yml has it; `TGI_IMAGE` of 3.3.7",
        (
            "bitsandbytes 用了不带 GPU 的库：`BNB_CUDA_VERSION` 被改过，或镜像版本不对",
            "保持 docker-compose.yml 里的 `BNB_CUDA_VERSION`；`TGI_IMAGE` 用 3.3.7",
        ),
        log=r"CUDA Setup failed|compiled without GPU support|libbitsandbytes_cpu",
        service="tgi",
    ),
    Trouble(
        "tgi-arguments",
        "`ArgumentValidation(…)`",
        "two settings contradict each other",
        "what stands in the brackets; `MAX_INPUT_TOKENS` must be below `MAX_TOTAL_TOKENS`",
        ("有设置互相矛盾", "看括号里的说明；`MAX_INPUT_TOKENS` 必须小于 `MAX_TOTAL_TOKENS`"),
        log=r"ArgumentValidation\(",
        service="tgi",
    ),
    Trouble(
        "tgi-flags",
        "`error: unexpected argument`, `Usage: text-generation-launcher`",
        "`TGI_IMAGE` is a version that does not know these flags",
        "`TGI_IMAGE` of 3.3.7, or none",
        ("`TGI_IMAGE` 的版本不认识这些参数", "`TGI_IMAGE` 用 3.3.7，或不设置"),
        log=r"error: unexpected argument|Usage: text-generation-launcher",
        service="tgi",
    ),
    Trouble(
        "tgi-weights",
        "`weight … does not exist`, `was found in multiple files`, `DownloadError`",
        "the model's folder is not what was verified",
        "`./scripts/appliance verify`, then `./scripts/appliance up` repairs it",
        ("模型目录与校验时不一致", "先 `./scripts/appliance verify`，再 `./scripts/appliance up` 修复"),
        log=r"weight \S+ does not exist|was found in multiple files|DownloadError",
        service="tgi",
    ),
    Trouble(
        "tgi-tokenizer",
        "`Failed to import python tokenizer … Read-only file system`",
        "it serves, but counts tokens by one slow process",
        "leave the tmpfs `/models/out` in docker-compose.yml",
        ("能运行，但分词只靠一个慢进程", "保留 docker-compose.yml 里的 tmpfs `/models/out`"),
        log=r"Failed to import python tokenizer",
        service="tgi",
        harmless=True,
    ),
    Trouble(
        "tgi-port",
        "`failed to build prometheus recorder`",
        "a port inside the engine's container is taken: an argument was added",
        "leave `--prometheus-port` alone",
        ("引擎容器内的端口被占用：有人加了参数", "不要改 `--prometheus-port`"),
        log=r"failed to build prometheus recorder",
        service="tgi",
    ),
    Trouble(
        "tgi-shard",
        "`ShardCannotStart`, `ShardFailed`, `WebserverFailed`",
        "the engine ended; the lines before say why",
        "`./scripts/appliance logs tgi --tail 200`",
        ("引擎退出了，原因在前面的日志里", "`./scripts/appliance logs tgi --tail 200`"),
        log=r"ShardCannotStart|ShardFailed|WebserverFailed|Shard \d+ (?:crashed|failed to start)",
        service="tgi",
        generic=True,
    ),
    Trouble(
        "slow-kernels",
        "`the image's own 4-bit kernels are in use`",
        "two people at once are slower than one alone: 25 ms a step in place of 9 (measured)",
        "`FAST_NF4=1` (the default), and see why model-init could not fetch them: "
        "`./scripts/appliance logs model-init`",
        (
            "两个人同时用会比一个人还慢：每步 25 ms，而不是 9 ms（实测）",
            "`FAST_NF4=1`（默认值），并查看 model-init 为什么没取到：`./scripts/appliance logs model-init`",
        ),
    ),
    Trouble(
        "rows-over-graph",
        "`… answers at once, the largest CUDA graph has …`",
        "a step without a graph takes twice to three times as long, for everybody",
        "`MAX_CONCURRENT_REQUESTS` not above the largest graph (128)",
        (
            "没有 graph 的一步要慢两到三倍，所有人都受影响",
            "`MAX_CONCURRENT_REQUESTS` 不要超过最大的 graph（128）",
        ),
    ),
    Trouble(
        "prefill-budget",
        "`prefills took more than … s`, `… tokens in one prefill`",
        "who reads an answer waits as long as another's document is read in",
        "`MAX_BATCH_PREFILL_TOKENS=4096`, or 2048 where many feed long documents",
        (
            "别人的长文档读入时，正在看回答的人要等同样久",
            "`MAX_BATCH_PREFILL_TOKENS=4096`；常有人传长文档时用 2048",
        ),
    ),
    Trouble(
        "loading-long",
        'the banner "Loading the model into memory…"; `loading for … min`',
        "TGI reads and quantises 15 GB at each start: minutes from a slow disk, but not more than "
        "half an hour",
        "wait; `./scripts/appliance logs tgi -f` shows it at work; after half an hour restart it: "
        "`docker compose restart tgi`",
        (
            "TGI 每次启动都要读取并量化 15 GB：慢盘要几分钟，但不会超过半小时",
            "等待；`./scripts/appliance logs tgi -f` 可看进度；超过半小时就重启：`docker compose "
            "restart tgi`",
        ),
        see_zh="页面横幅“正在将模型载入内存…”；`loading for … min`",
    ),
)
