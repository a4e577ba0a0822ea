#!/bin/sh
# Installs the C library alone and moves the tree; builds the example outside of tyto's tree by find_package and by
# pkg-config, in strict C99, and runs it. Usage: install_test.sh SOURCE BUILD WORK
set -eu
source=$1 build=$2 work=$3
rm -rf "$work/first" "$work/prefix" "$work/example" "$work/build"
cmake --install "$build" --component losses --prefix "$work/first" >/dev/null
mv "$work/first" "$work/prefix"
cp -r "$source/examples/losses_in_c" "$work/example"

cmake -S "$work/example" -B "$work/build" -DCMAKE_PREFIX_PATH="$work/prefix" -DCMAKE_C_FLAGS="-std=c99 -pedantic -Wall -Wextra -Werror" \
  >/dev/null
cmake --build "$work/build" >/dev/null
by_cmake=$("$work/build/circle")

export PKG_CONFIG_PATH="$(dirname "$(find "$work/prefix" -name tyto_losses.pc)")"
cd "$work/example"
cc -std=c99 -pedantic -Wall -Wextra -Werror circle.c $(pkg-config --cflags --libs tyto_losses) -lm -o circle
by_pkg_config=$(LD_LIBRARY_PATH=$(pkg-config --variable=libdir tyto_losses) ./circle)

echo "$by_cmake"
[ "$by_cmake" = "$by_pkg_config" ]
case $by_cmake in "circle loss "*", after a step "*) ;; *) exit 1 ;; esac

# The engine is not there, which find_package says.
sed -i 's/ COMPONENTS losses//' CMakeLists.txt
if said=$(cmake -S . -B "$work/build/engine" -DCMAKE_PREFIX_PATH="$work/prefix" 2>&1); then exit 1; fi
case $said in *"Only the losses of tyto"*) ;; *) echo "$said"; exit 1 ;; esac
