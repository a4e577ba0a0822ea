#!/bin/sh
# Installs tyto; builds the example project outside the tree against the installed package and runs it on a model that the
# installed command converted; runs the demo with the installed command. Usage: install_test.sh SOURCE BUILD WORK COMPILER
set -eu
source=$1 build=$2 work=$3 compiler=$4
rm -rf "$work/prefix" "$work/outside"
mkdir -p "$work/outside"
cmake --install "$build" --prefix "$work/prefix" >/dev/null
tyto=$work/prefix/bin/tyto
cp -r "$source/examples/find_package" "$work/outside/example"
cmake -S "$work/outside/example" -B "$work/outside/build" -DCMAKE_PREFIX_PATH="$work/prefix" -DCMAKE_CXX_COMPILER="$compiler" \
  -DCMAKE_BUILD_TYPE=Release >/dev/null
cmake --build "$work/outside/build" >/dev/null

/usr/bin/python3 - "$work/net.pth" <<'PYTHON'
import sys, torch, torchvision
torch.save(torchvision.models.resnet18(weights=None).state_dict(), sys.argv[1])
PYTHON
"$tyto" convert "$work/net.pth" -o "$work/net.safetensors" >/dev/null
answer=$("$work/outside/build/embed" "$work/net.safetensors")
echo "$answer"
[ "$answer" = "resnet: [1, 512], length 1.0000" ]

TYTO=$tyto "$source/scripts/demo" "$work/demo"
