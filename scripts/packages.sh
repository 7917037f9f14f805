# Debian packages, by what they are for. Sourced by the other scripts.

# To build.
BUILD_PACKAGES="libsqlite3-dev zlib1g-dev libmaxminddb-dev libcrypt-dev libc6-dev pkg-config git ca-certificates"
# To run the demo.
DEMO_PACKAGES="ffmpeg nginx-light libnginx-mod-rtmp curl jq"
# To run the tests: the demo's, and the programs that publish, play, receive pushes and sign.
TEST_PACKAGES="$DEMO_PACKAGES php-cli php-curl ruby perl libwww-perl libjson-perl python3 python3-pip \
rtmpdump gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad \
gstreamer1.0-plugins-ugly gstreamer1.0-libav chromium unzip procps openssl nghttp2-client fonts-dejavu-core"
# To run scripts/try-obs: OBS Studio, a screen that nobody sees, OpenGL without a graphics card.
OBS_PACKAGES="obs-studio xvfb libgl1-mesa-dri"

# install_packages NAME…: installs those that are missing, after saying which. Without root it says what to type.
install_packages() {
    local missing="" name
    for name in "$@"; do
        dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q '^install ok installed$' || missing="$missing $name"
    done
    [ -n "$missing" ] || return 0
    echo "Missing Debian packages:$missing"
    if [ "$(id -u)" -ne 0 ]; then
        echo "Install them with: sudo apt-get update && sudo apt-get install --no-install-recommends$missing" >&2
        return 1
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q || return 1
    # shellcheck disable=SC2086
    apt-get install -y -q --no-install-recommends $missing
}

# need_swift: says so when there is no Swift toolchain.
need_swift() {
    command -v swift >/dev/null 2>&1 && return 0
    echo "A Swift toolchain (6.2 or later) is needed: https://www.swift.org/install/linux/" >&2
    return 1
}
