"""Troubles of the card: driver, container toolkit, which card, who holds its memory."""

from appliance_cli.doctor.troubles.trouble import Trouble
from appliance_cli.host.drivers import CONFIGURE, GENERATE

_CONFIGURE, _GENERATE = f"`{CONFIGURE}`", f"`{GENERATE}`"

GPU = (
    Trouble(
        "gpu-none",
        "`no NVIDIA card`, or a host that is not x86_64",
        "the GPU engine needs one",
        "add a card, or try it without: `./scripts/appliance up --engine cpu`",
        (
            "GPU 引擎需要一块 NVIDIA 显卡和 x86_64 主机",
            "加一块显卡，或先用 CPU 试用：`./scripts/appliance up --engine cpu`",
        ),
        see_zh="`no NVIDIA card`，或主机不是 x86_64",
    ),
    Trouble(
        "gpu-unused",
        "`NVIDIA card left unused`",
        "the CPU engine was asked for",
        "`./scripts/appliance up --engine gpu`",
        ("选用了 CPU 引擎，显卡闲置", "`./scripts/appliance up --engine gpu`"),
    ),
    Trouble(
        "driver-none",
        "`an NVIDIA card, but no working driver`",
        "`nvidia-smi` fails",
        "install driver 570 or newer with the commands that it names, restart",
        ("`nvidia-smi` 不能正常工作", "按提示的命令安装 570 或更新的驱动，然后重启"),
    ),
    Trouble(
        "driver-old",
        "`NVIDIA driver 535…`",
        "the engine's image is made for CUDA 12.8: 570 is right, 550 the least. Debian 12 gives 535, "
        "Debian 13 550, Ubuntu 22.04 and 24.04 570",
        "the commands that it names for your system, restart",
        (
            "引擎镜像基于 CUDA 12.8：最好用 570，至少 550。Debian 12 自带 535，Debian 13 自带 550，"
            "Ubuntu 22.04 和 24.04 自带 570",
            "按提示执行针对你的系统的命令，然后重启",
        ),
    ),
    Trouble(
        "driver-mismatch",
        "`Driver/library version mismatch`",
        "the driver was updated, and its old kernel module still runs",
        "`sudo reboot`",
        ("驱动已更新，但内核里还是旧模块", "`sudo reboot`"),
    ),
    Trouble(
        "toolkit",
        "`no NVIDIA Container Toolkit`",
        "Docker cannot hand the card to a container",
        "as root, `./scripts/appliance up` installs it where its repository answers (a mirror of it: "
        "`TOOLKIT_REPOSITORY`); else the commands that it names",
        (
            "Docker 无法把显卡交给容器",
            "以 root 运行 `./scripts/appliance up`，软件源连得上时会自动安装"
            "（镜像用 `TOOLKIT_REPOSITORY` 设置）；"
            "否则按提示的命令手动安装",
        ),
    ),
    Trouble(
        "toolkit-unaware",
        '`could not select device driver "nvidia"`',
        "the toolkit is missing, or Docker does not know it yet",
        _CONFIGURE,
        ("没有安装 NVIDIA Container Toolkit，或 Docker 还不知道它", _CONFIGURE),
    ),
    Trouble(
        "cdi",
        "`unresolvable CDI devices`, `CDI device injection failed`",
        "Docker hands over cards by CDI, and its list of devices is missing or old",
        _GENERATE,
        (
            "Docker 通过 CDI 分配显卡，但设备清单缺失或过期",
            _GENERATE,
        ),
    ),
    Trouble(
        "gpu-trial",
        "`a container does not get the card`",
        "a small container was given the card before anything large was fetched, and could not use it",
        "what it says; most often the two commands of the toolkit",
        ("下载大文件之前先用小容器试了一次显卡，没有成功", "按提示处理，多半是执行 toolkit 的那两条命令"),
    ),
    Trouble(
        "gpu-pinned",
        "`GPU_DEVICE=…` is not listed, or a small card",
        "`.env` names a card that is not there, often by an index that moved",
        "`./scripts/appliance gpu --pick UUID`",
        ("`.env` 指定的显卡不存在，常见原因是编号变了", "`./scripts/appliance gpu --pick UUID`"),
        see_zh="`GPU_DEVICE=…` 不在列表里，或显存太小",
    ),
    Trouble(
        "gpu-other-card",
        "`the engine runs on …, .env names …`",
        "the container was made before the card was chosen anew",
        "`./scripts/appliance up`",
        ("容器是在重新选卡之前创建的", "`./scripts/appliance up`"),
    ),
    Trouble(
        "gpu-shared",
        "`… MiB of the card are held by …`",
        "another program takes memory that the engine counts on",
        "end it, or tell the engine to take less: `TARGET_VRAM` in `.env`",
        ("别的程序占用了引擎要用的显存", "结束它，或在 `.env` 用 `TARGET_VRAM` 让引擎少用一些"),
    ),
    Trouble(
        "gpu-lost",
        "`Failed to initialize NVML: Unknown Error` in the engine's container",
        "the container lost its card, most often by `systemctl daemon-reload` on a host where "
        "systemd manages cgroups",
        "`./scripts/appliance heal` recreates it; for good: `./scripts/appliance service install`, "
        "or CDI, or "
        '`"exec-opts": ["native.cgroupdriver=cgroupfs"]` in `/etc/docker/daemon.json`',
        (
            "容器丢失了显卡，多半是因为主机由 systemd 管理 cgroup，而有人执行了 `systemctl daemon-reload`",
            "`./scripts/appliance heal` 会重建容器；要一劳永逸：`./scripts/appliance service "
            "install`，或改用 CDI，或在 "
            '`/etc/docker/daemon.json` 写 `"exec-opts": ["native.cgroupdriver=cgroupfs"]`',
        ),
        see_zh="引擎容器里出现 `Failed to initialize NVML: Unknown Error`",
        log=r"Failed to initialize NVML|No CUDA GPUs are available|CUDA-capable device\(s\) is/are "
        r"busy or unavailable",
        service="tgi",
    ),
)
