# What tyto needs from Debian 12; sourced by the other scripts. Installs what is missing and is quiet about what is there.

library_packages="g++ pkg-config libdnnl-dev libfmt-dev nlohmann-json3-dev libcli11-dev libre2-dev
  libssl-dev libopencv-dev libavformat-dev libavcodec-dev libswscale-dev libavutil-dev libjpeg-dev libpng-dev libtiff-dev
  libwebp-dev libzip-dev zlib1g-dev libmatio-dev libpugixml-dev"
build_packages="cmake ninja-build ccache git $library_packages"
demo_packages="opencv-doc python3 python3-pip python3-numpy python3-pil python3-torch libopenblas0-pthread"
test_packages="libboost-context-dev libgtest-dev libgmock-dev libbenchmark-dev python3 python3-numpy python3-scipy python3-pil python3-torch
  python3-torchvision python3-skimage python3-opencv python3-matplotlib python3-pandas python3-pip libopenblas0-pthread"

# missing_packages NAME...: those that are not installed, a blank before each.
missing_packages() {
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q "install ok installed" || printf ' %s' "$package"
  done
}

# install_packages NAME...: as root or with sudo, else prints the one line that does it and stops.
install_packages() {
  missing=$(missing_packages "$@")
  [ -n "$missing" ] || return 0
  command="apt-get install -y --no-install-recommends$missing"
  if [ "$(id -u)" = 0 ]; then
    as_root=""
  elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root="sudo"
  else
    echo "These packages are missing; install them and run this again:" >&2
    echo "  sudo $command" >&2
    exit 1
  fi
  echo "Installing:$missing"
  log=$(mktemp)
  { $as_root apt-get update && $as_root env DEBIAN_FRONTEND=noninteractive $command; } >"$log" 2>&1 ||
    { tail -n 20 "$log" >&2; rm -f "$log"; exit 1; }
  rm -f "$log"
}
