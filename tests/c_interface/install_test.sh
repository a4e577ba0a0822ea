#!/bin/sh
# Installs a C library alone and moves the tree; builds its example outside of tyto's tree by find_package and by
# pkg-config, in strict C99, and runs it. Usage: install_test.sh SOURCE BUILD WORK LIBRARY
set -eu
source=$1 build=$2 work=$3 library=$4
case $library in
  losses) example=losses_in_c program=circle said_by_it="circle loss *, after a step *" ;;
  bev) example=bev_pool_in_c program=pool said_by_it="most at 12 m, * of 32 pixels in the grid, * by the gradient" ;;
  operators) example=nms_in_c program=nms said_by_it="box 1 with 0.9 at 12, 8*box 2 with 0.6 at 60, 20" ;;
esac
rm -rf "$work"
mkdir -p "$work"
cmake --install "$build" --component "$library" --prefix "$work/first" >/dev/null
mv "$work/first" "$work/prefix"
cp -r "$source/examples/$example" "$work/example"

cmake -S "$work/example" -B "$work/build" -DCMAKE_PREFIX_PATH="$work/prefix" -DCMAKE_C_FLAGS="-std=c99 -pedantic -Wall -Wextra -Werror" \
  >/dev/null
cmake --build "$work/build" >/dev/null
by_cmake=$("$work/build/$program")

export PKG_CONFIG_PATH="$(dirname "$(find "$work/prefix" -name "tyto_$library.pc")")"
cd "$work/example"
cc -std=c99 -pedantic -Wall -Wextra -Werror "$program.c" $(pkg-config --cflags --libs "tyto_$library") -lm -o "$program"
by_pkg_config=$(LD_LIBRARY_PATH=$(pkg-config --variable=libdir "tyto_$library") "./$program")

echo "$by_cmake"
[ "$by_cmake" = "$by_pkg_config" ]
case $by_cmake in $said_by_it) ;; *) exit 1 ;; esac

# The engine is not there, which find_package says.
sed -i "s/ COMPONENTS $library//" CMakeLists.txt
if said=$(cmake -S . -B "$work/build/engine" -DCMAKE_PREFIX_PATH="$work/prefix" 2>&1); then exit 1; fi
case $said in *"Only $library of tyto is installed"*) ;; *) echo "$said"; exit 1 ;; esac
