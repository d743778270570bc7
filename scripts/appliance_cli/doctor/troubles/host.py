"""Troubles of the host: its system, Docker, the network around it."""

from appliance_cli.doctor.troubles.trouble import Trouble
from appliance_cli.host.checks import MIN_COMPOSE

_COMPOSE = ".".join(map(str, MIN_COMPOSE))

HOST = (
    Trouble(
        "system",
        "`Darwin`, or another system that is not Linux",
        "the images are Linux's",
        "a Linux host, or WSL 2 on Windows",
        ("镜像是 Linux 的", "换用 Linux 主机，或在 Windows 上使用 WSL 2"),
        see_zh="`Darwin` 等非 Linux 系统",
    ),
    Trouble(
        "settings",
        "`nothing reads …: did you mean …?`, `TGI 3.3.7 does not serve …`, `HF_TOKEN_FILE: …`",
        "a name in `.env` that nothing reads, a model that the engine refuses, settings that contradict each "
        "other, or a token's file that cannot be read",
        "correct the line of `.env` that it names",
        (
            "`.env` 中有无人读取的名称、引擎不支持的模型、互相矛盾的设置，或读不了的令牌文件",
            "改正 `.env` 里提示的那一行",
        ),
        see_zh="`nothing reads …: did you mean …?`、`TGI 3.3.7 does not serve …`、`HF_TOKEN_FILE: …`",
    ),
    Trouble(
        "docker",
        "`Cannot connect to the Docker daemon`, `no Docker Engine`, `permission denied on Docker's socket`",
        "Docker is missing, stopped, too old, or not yours to use",
        "`./scripts/appliance up` installs and starts it (as root), or `sudo systemctl start docker`; "
        "not root: `sudo usermod -aG docker $USER`, then log in again",
        (
            "未安装 Docker、Docker 没有运行、版本太旧，或当前用户无权使用",
            "以 root 运行 `./scripts/appliance up` 会安装并启动它，或执行 `sudo systemctl start docker`；"
            "非 root 用户：`sudo usermod -aG docker $USER`，然后重新登录",
        ),
    ),
    Trouble(
        "docker-holes",
        "`docker … has CVE-…`",
        "this version of Docker or runc has a known hole that matters here",
        "update it as the line says",
        ("这个版本的 Docker 或 runc 有与本机相关的已知漏洞", "按提示升级"),
    ),
    Trouble(
        "compose",
        f"`no Docker Compose plugin`, or one before {_COMPOSE}",
        "docker-compose.yml uses what only newer ones know",
        "`./scripts/appliance up` installs it",
        ("docker-compose.yml 用到了新版才有的功能", "`./scripts/appliance up` 会安装它"),
        see_zh=f"`no Docker Compose plugin`，或版本低于 {_COMPOSE}",
    ),
    Trouble(
        "wsl",
        "`WSL 2: Windows owns the card, the memory and the network`",
        "the driver, the memory limit and the address belong to Windows",
        "the driver in Windows, `memory=24GB` in `.wslconfig`, `wsl --shutdown`",
        (
            "显卡驱动、内存上限和网络地址都由 Windows 管理",
            "在 Windows 里装驱动，在 `.wslconfig` 写 `memory=24GB`，再执行 `wsl --shutdown`",
        ),
    ),
    Trouble(
        "disk",
        "`… free in /var/lib/docker`",
        "the images and the model do not fit",
        "free space, or move Docker's data (`data-root` in `/etc/docker/daemon.json`)",
        (
            "磁盘放不下镜像和模型",
            "清理空间，或迁移 Docker 的数据目录（`/etc/docker/daemon.json` 里的 `data-root`）",
        ),
    ),
    Trouble(
        "memory",
        "`… memory`, 16 GB or more expected",
        "loading passes 15 GB of weights through the host's memory",
        "close other programs, or another host; `ENGINE_MEMORY` bounds the engine",
        ("加载时 15 GB 的权重要经过主机内存", "关闭其他程序或换一台主机；`ENGINE_MEMORY` 限制引擎用量"),
    ),
    Trouble(
        "port",
        "`port 8080 on 127.0.0.1 is used by …`",
        "another program has the port",
        "`./scripts/appliance up --port 8090`",
        ("端口被其他程序占用", "`./scripts/appliance up --port 8090`"),
    ),
    Trouble(
        "clock",
        "`this host's clock is … off`, certificates `not yet valid`",
        "the time is wrong: certificates, sessions and keys that expire are judged by it",
        "`sudo timedatectl set-ntp true`; under WSL 2: `sudo hwclock -s`",
        (
            "系统时间不对，证书、登录会话和密钥有效期都会因此出错",
            "`sudo timedatectl set-ntp true`；WSL 2 下：`sudo hwclock -s`",
        ),
    ),
    Trouble(
        "registry",
        "`… (engine's image) does not answer`",
        "the container registry is blocked or unreachable from here",
        "a mirror of the image: `TGI_IMAGE=MIRROR/huggingface/text-generation-inference:3.3.7` in `.env`; "
        "or a proxy for Docker itself: `/etc/systemd/system/docker.service.d/proxy.conf`",
        (
            "访问不了镜像仓库（被屏蔽或网络不通）",
            "改用镜像站：在 `.env` 写 `TGI_IMAGE=镜像站/huggingface/text-generation-inference:3.3.7`；"
            "或给 Docker 服务配代理：`/etc/systemd/system/docker.service.d/proxy.conf`",
        ),
    ),
    Trouble(
        "package-index",
        "`… (Python packages) does not answer`, a build that ends in pip's errors",
        "the package index is blocked or unreachable from here",
        "a mirror: `PIP_INDEX_URL=https://MIRROR/simple` in `.env`",
        ("访问不了 Python 包索引", "改用镜像：在 `.env` 写 `PIP_INDEX_URL=https://镜像站/simple`"),
        see_zh="`… (Python packages) does not answer`，或构建时 pip 报错",
    ),
    Trouble(
        "hubs",
        "`no hub of MODEL_SOURCES answers`",
        "every hub is blocked or unreachable from here",
        "`HTTPS_PROXY`, other `MODEL_SOURCES` (`modelscope` and `hf-mirror` answer in China), "
        "or bring the model: `./scripts/appliance model import`",
        (
            "`MODEL_SOURCES` 里的站点都访问不了",
            "设置 `HTTPS_PROXY`，换别的 `MODEL_SOURCES`（国内可用 `modelscope`、`hf-mirror`），或用 "
            "`./scripts/appliance model import` 导入模型",
        ),
    ),
    Trouble(
        "docker-client-proxies",
        "`Docker's client gives every container and build http…=http://127.0.0.1…`",
        "in a container that address is the container itself: builds cannot fetch",
        "in `~/.docker/config.json` write `http://host.docker.internal:PORT`, or remove the entry",
        (
            "在容器里 127.0.0.1 指的是容器自己，构建时连不上网",
            "在 `~/.docker/config.json` 里改成 `http://host.docker.internal:端口`，或删掉该项",
        ),
    ),
    Trouble(
        "corporate-proxy",
        "`untrusted certificate`; `… signs its certificates itself`",
        "a proxy inspects TLS; where it says `not yet valid`, this machine's clock is wrong",
        "set `CA_BUNDLE` to its CA; set the clock",
        (
            "有代理在解密 TLS；如果提示 `not yet valid`，是本机时间不对",
            "把 `CA_BUNDLE` 设为该代理的 CA 证书；校准时间",
        ),
        log=r"untrusted certificate",
        service="model-init",
    ),
    Trouble(
        "firewall",
        "`ufw is on, and port … is open all the same`",
        "Docker's published ports pass by ufw's and firewalld's rules",
        "`BIND_ADDRESS=` one address, or a rule in the chain `DOCKER-USER`, as the line says",
        (
            "Docker 发布的端口会绕过 ufw 和 firewalld 的规则",
            "把 `BIND_ADDRESS` 设为单个地址，或按提示在 `DOCKER-USER` 链里加规则",
        ),
    ),
)
