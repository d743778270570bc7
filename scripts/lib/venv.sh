# shellcheck shell=sh
# Sourced by scripts/appliance and scripts/test: finds Python and keeps private virtual environments.
# Owns nothing else: what the environments are for is their callers' business. Everything is said on stderr.

say() { printf '%s\n' "$*" >&2; }

# fail EXPECTED FOUND DO: the one way in which these scripts give up.
fail() {
    printf '✗ %s\n' "The appliance's own tools cannot be prepared" >&2
    printf '  %-9s %s\n' expected "$1" found "$2" 'do' "$3" >&2
    exit "${4:-4}"
}

# A Python that can make virtual environments: 3.11 or newer, with venv and ensurepip (a package of its own on Debian).
usable_python() {
    "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

# Sets PYTHON, or returns 1.
find_python() {
    for PYTHON in python3 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3; do
        if usable_python "$PYTHON"; then return 0; fi
    done
    return 1
}

# Sets PYTHON, installing it where that is possible: root on Debian or Ubuntu. $1 is "yes" when nobody is to be asked.
require_python() {
    if find_python; then return 0; fi
    found=$(python3 --version 2>/dev/null || echo 'no Python 3')
    wanted='Python 3.11 or newer with its venv module'
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
        fail "$wanted" "$found" 'install it (Debian, Ubuntu: sudo apt-get install python3 python3-venv), then run this again' 3
    fi
    if [ "$1" != yes ] && [ -t 0 ] && [ -t 2 ]; then
        printf 'Python is missing (%s). Install python3 and python3-venv with apt-get? [Y/n] ' "$found" >&2
        read -r answer
        case $answer in [nN]*) fail "$wanted" "$found" 'install it, then run this again' 3 ;; esac
    fi
    say 'Installing python3 and python3-venv …'
    log=$(mktemp)
    if ! { apt-get update && DEBIAN_FRONTEND=noninteractive \
        apt-get install --yes --no-install-recommends python3 python3-venv ca-certificates; } >"$log" 2>&1; then
        tail -n 15 "$log" >&2
        fail 'apt-get to install python3 and python3-venv' 'the error above' 'put that right (network, mirror), then run this again'
    fi
    rm -f "$log"
    find_python || fail "$wanted" "$(python3 --version 2>&1)" 'this release is too old: install a newer Python by hand' 3
}

# ensure_venv DIR PURPOSE ASSUME_YES LOCK [NO_DEPS_LOCK]: have DIR be a virtual environment with what LOCK pins, and what
# NO_DEPS_LOCK pins without its dependencies. Made again when a lock or the Python beneath it has changed.
# Built aside and renamed when complete, so that an interruption leaves either the old one or none; one at a time.
ensure_venv() {
    venv=$1 purpose=$2 ask_nobody=$3
    shift 3
    stamp=$(cat "$@" | cksum)
    if venv_is_current; then return 0; fi
    why='first use'
    if [ -d "$venv" ]; then why='what they need has changed'; fi
    say "Preparing $purpose ($why) …"
    require_python "$ask_nobody"
    folder=$(dirname "$venv")
    if ! mkdir -p "$folder" 2>/dev/null || [ ! -w "$folder" ]; then
        fail "to write in $folder" 'no permission' "run this as the folder's owner"
    fi
    (
        if command -v flock >/dev/null 2>&1; then flock 9; fi
        if ! venv_is_current; then build_venv "$@"; fi
    ) 9>"$venv.lock" || exit $?
}

venv_is_current() {
    [ -f "$venv/.stamp" ] && [ "$(cat "$venv/.stamp")" = "$stamp $(interpreter_of "$venv")" ]
}

# interpreter_of VENV: such as cpython-311; nothing when its Python is gone or cannot run. An upgraded distribution
# leaves the same python3 with another version behind it, which finds none of the packages.
interpreter_of() {
    "$1/bin/python" -I -S -c 'import sys; print(sys.implementation.cache_tag)' 2>/dev/null || true
}

# build_venv LOCK [NO_DEPS_LOCK]
build_venv() {
    new=$venv.new
    log=$venv.log
    rm -rf "$new"
    if ! { "$PYTHON" -m venv "$new" && pip_install "$1" && { [ $# = 1 ] || pip_install "$2" --no-deps; }; } >"$log" 2>&1; then
        tail -n 12 "$log" >&2
        fail "pip to install what $1 pins" "the error above; all of it is in $log" \
            'see that pip reaches its package index: PIP_INDEX_URL for a mirror, PIP_CERT for the CA of a TLS-inspecting proxy'
    fi
    printf '%s' "$stamp $(interpreter_of "$new")" >"$new/.stamp"
    if ! { rm -rf "$venv" && mv "$new" "$venv"; }; then exit 4; fi
}

# uv asks the index that pip is told to ask.
uv_as_pip() {
    if [ -n "${PIP_INDEX_URL:-}" ]; then export UV_DEFAULT_INDEX="$PIP_INDEX_URL"; fi
    if [ -n "${PIP_CERT:-}" ]; then export SSL_CERT_FILE="$PIP_CERT"; fi
}

# pip_install LOCK [OPTION]: by $fast_installer, a uv, where that is set and reaches its index; it takes a tenth of the time.
pip_install() {
    lock=$1
    shift
    if [ -n "${fast_installer:-}" ] &&
        "$fast_installer" pip install --quiet --python "$new/bin/python" --require-hashes "$@" -r "$lock"; then return 0; fi
    "$new/bin/python" -m pip install --disable-pip-version-check --no-input --progress-bar off --require-hashes "$@" -r "$lock"
}
