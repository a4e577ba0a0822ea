# Builds a preset; sourced by the other scripts. build_preset PRESET CONFIGURE_ARGUMENTS -- TARGETS
build_preset() {
  preset=$1
  shift
  configure=""
  while [ $# -gt 0 ] && [ "$1" != "--" ]; do
    configure="$configure $1"
    shift
  done
  [ $# -gt 0 ] && shift
  cmake --preset "$preset" $configure >build.log 2>&1 || { cat build.log >&2; exit 1; }
  cmake --build --preset "$preset" --target "$@" >build.log 2>&1 || { grep -v "^\[" build.log >&2; exit 1; }
  rm -f build.log
}
