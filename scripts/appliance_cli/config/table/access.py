"""Who may come in, and over what."""

from appliance_cli.config.kinds import Choice, HostFolder, HostNames, Matching, NginxUrl, Text, Whole
from appliance_cli.config.table.setting import Chinese, Section, Setting

SECTION = Section(
    "Who may come in",
    (
        Setting(
            "TLS",
            says="How the door encrypts: off, self-signed (encrypted, but browsers warn), or files (a "
            "certificate of yours). With TLS the one port speaks HTTPS.",
            when="it is reached over a network: `self-signed` or `files`",
            kind=Choice(("off", "self-signed", "files")),
            default="off",
            services=("nginx",),
            common=True,
            zh=Chinese("要通过网络访问：`self-signed` 或 `files`"),
        ),
        Setting(
            "TLS_CERT_FILE",
            says="With TLS=files: the certificate and its chain on this host, PEM. After a renewal run "
            "./scripts/appliance tls.",
            kind=Text("a file"),
        ),
        Setting(
            "TLS_KEY_FILE",
            says="With TLS=files: the certificate's private key on this host, PEM.",
            kind=Text("a file"),
        ),
        Setting(
            "TLS_NAMES",
            says="With TLS=self-signed: names and addresses that people use, separated by commas.",
            kind=HostNames(),
            empty="this host's name, localhost, BIND_ADDRESS",
        ),
        Setting(
            "SESSION_DAYS",
            says="Days that a person stays signed in on the page.",
            when="people should sign in more often, or less",
            kind=Whole(1, 3650),
            default="7",
            services=("nginx",),
        ),
        Setting(
            "SSO_URL",
            says="Single sign-on instead of passwords here: the address that nginx's auth_request "
            "protocol asks. See docs/security.md.",
            when="your people sign in elsewhere already",
            kind=NginxUrl(),
            services=("nginx",),
        ),
        Setting(
            "SSO_HOST",
            says="With SSO_URL: the name under which people open the page, told to it.",
            when="it has different rules for different hosts",
            kind=Matching(r"[A-Za-z0-9._:\[\]-]{1,255}", "a host's name, with a port or without"),
            empty="the one that the browser asked for",
            services=("nginx",),
        ),
        Setting(
            "SSO_USER_HEADER",
            says="With SSO_URL: the header of its answer that holds the person's name.",
            when="your service uses another",
            kind=Matching(r"[A-Za-z0-9_-]+", "a header's name"),
            default="X-Auth-Request-User",
            services=("nginx",),
        ),
        Setting(
            "SSO_SIGN_IN_URL",
            says="With SSO_URL: where a browser is sent to sign in.",
            kind=Matching(r"(?:https?://|/)[!-~]*", "an http(s) address, or a path that begins with /"),
            empty="it is told to sign in, and not where",
            services=("nginx",),
        ),
        Setting(
            "ACCESS_DIR",
            says="Where keys, users and the certificate are kept. Back it up; it holds hashes of keys and "
            "passwords, and the TLS key.",
            when="they shall lie outside this folder",
            kind=HostFolder(),
            default="./nginx/access",
            services=("nginx",),
        ),
        Setting(
            "APPLIANCE_USER",
            says="The owner of the files in ACCESS_DIR. Written by ./scripts/appliance up when a user "
            "other than root runs it.",
            when="another user owns them",
            kind=Matching(r"\d{1,9}:\d{1,9}", "a numeric user and group, such as 1000:1000"),
            default="10001:10001",
            services=("nginx",),
        ),
    ),
)
