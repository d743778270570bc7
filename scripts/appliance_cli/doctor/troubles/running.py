"""Troubles of the running appliance: its containers, and what callers read."""

from appliance_cli.doctor.troubles.trouble import Trouble

RUNNING = (
    Trouble(
        "containers",
        'the banner "The engine is not running"; `nothing will start … again`',
        "a container was never started, or was ended by force (exit code 137: `docker kill`, or a "
        "`docker stop` that ran out of time), and Docker leaves it so",
        "`./scripts/appliance heal`, or `up`; if it comes back so: `./scripts/appliance logs SERVICE`. "
        "`heal` leaves what ended when it was asked to (`docker stop -t 60`) stopped: `up` starts that",
        (
            "容器没被启动过，或被强制结束（退出码 137：`docker kill`，或 `docker stop` 超时），"
            "Docker 不会再启动它",
            "`./scripts/appliance heal` 或 `up`；若再次出现：`./scripts/appliance logs 服务名`。"
            "正常停下的容器（`docker stop -t 60`），`heal` 不会启动，用 `up` 启动",
        ),
        see_zh="页面横幅“引擎未运行”；`nothing will start … again`",
    ),
    Trouble(
        "restarting",
        "`… was restarted … times`",
        "a service fails at its start, again and again",
        "`./scripts/appliance logs SERVICE`; what doctor finds in its log",
        ("服务反复启动失败", "`./scripts/appliance logs 服务名`；看 doctor 在日志里找到什么"),
    ),
    Trouble(
        "unhealthy",
        "`… is unhealthy`",
        "it runs and does not answer its own check",
        "`./scripts/appliance logs SERVICE`; `docker compose restart SERVICE`",
        ("在运行，但健康检查不通过", "`./scripts/appliance logs 服务名`；`docker compose restart 服务名`"),
    ),
    Trouble(
        "killed-for-memory",
        "`… was ended because memory was short`",
        "the container reached its own bound",
        "engine: `ENGINE_MEMORY`; else report it",
        ("容器超出了自己的内存上限", "引擎：调高 `ENGINE_MEMORY`；其他服务请反馈"),
    ),
    Trouble(
        "certificate",
        "`apply: TLS=…: expected a certificate, found none` (log of nginx)",
        "TLS was set without `up`",
        "`./scripts/appliance tls`",
        ("设置了 TLS 但没有执行 `up`", "`./scripts/appliance tls`"),
        see_zh="`apply: TLS=…: expected a certificate, found none`（nginx 日志）",
        log=r"expected a certificate, found none",
        service="nginx",
    ),
    Trouble(
        "open-door",
        "`everybody could use it` when `up` refuses BIND_ADDRESS",
        "no key or no user yet",
        "the two commands that it names",
        ("还没有密钥或用户", "执行提示里的两条命令"),
        see_zh="`up` 拒绝 BIND_ADDRESS 时的 `everybody could use it`",
        elsewhere=True,
    ),
    Trouble(
        "overloaded",
        "`Model is overloaded` (429)",
        "more than `MAX_CONCURRENT_REQUESTS` at once",
        "wait as long as `Retry-After` says; the chat page does so by itself, for up to 10 minutes",
        ("同时的请求超过 `MAX_CONCURRENT_REQUESTS`", "按 `Retry-After` 等待；聊天页会自己等，最长 10 分钟"),
        elsewhere=True,
    ),
    Trouble(
        "not-yet",
        "`The engine is not available (stage: …)` (503)",
        "the model is not ready yet",
        "wait as long as `Retry-After` says",
        ("模型还没有就绪", "按 `Retry-After` 等待"),
        elsewhere=True,
    ),
    Trouble(
        "no-key",
        "`A valid API key is needed` (401)",
        "keys exist, or the address is not loopback",
        "send `Authorization: Bearer …`; `keys add NAME` makes one",
        ("已经有密钥，或监听的不是回环地址", "发送 `Authorization: Bearer …`；用 `keys add NAME` 创建"),
        elsewhere=True,
    ),
    Trouble(
        "own-limit",
        "429 with `rate_limit_exceeded`, `concurrency_limit_exceeded`, `insufficient_quota`",
        "this key's or person's own limit",
        "wait as long as `Retry-After` says, or `keys list` and another limit",
        ("这个密钥或用户自己的限额", "按 `Retry-After` 等待，或用 `keys list` 查看并调整限额"),
        see_zh="429，带 `rate_limit_exceeded`、`concurrency_limit_exceeded` 或 `insufficient_quota`",
        elsewhere=True,
    ),
)
