# Builds a preset; sourced by the other scripts.

# configure_preset PRESET CONFIGURE_ARGUMENTS...
configure_preset() {
  cmake --preset "$@" >build.log 2>&1 || { cat build.log >&2; exit 1; }
  rm -f build.log
}

# build_targets PRESET TARGETS...
build_targets() {
  preset=$1
  shift
  cmake --build --preset "$preset" --target "$@" >build.log 2>&1 || { grep -v "^\[" build.log >&2; exit 1; }
  rm -f build.log
}

# build_preset PRESET CONFIGURE_ARGUMENTS -- TARGETS
build_preset() {
  configured=$1
  shift
  configure=""
  while [ $# -gt 0 ] && [ "$1" != "--" ]; do
    configure="$configure $1"
    shift
  done
  [ $# -gt 0 ] && shift
  configure_preset "$configured" $configure
  build_targets "$configured" "$@"
}
