#!/bin/sh
# Installs the Python package alone, moves it, and uses it from there: no library but the system's is looked for elsewhere.
# Usage: install_test.sh BUILD WORK
set -eu
build=$1 work=$2
rm -rf "$work"
mkdir -p "$work"
cmake --install "$build" --component python --prefix "$work/first" >/dev/null
mv "$work/first" "$work/moved"
cd "$work"
unset LD_LIBRARY_PATH

# What a wheel may hold, and nothing beside the package.
[ "$(ls moved)" = tyto ]
[ -z "$(find moved ! -type f ! -type d)" ]
[ -z "$(find moved -name __pycache__)" ]
[ -f moved/tyto/py.typed ]
# PyPI's wheels, as pip makes them from the tree, hold the same: nothing points into the tree.
for file in moved/tyto/_native/tyto moved/tyto/_native/*.so*; do
  if ldd "$file" | grep -e "not found" -e "$build"; then exit 1; fi
done

export PYTHONPATH="$work/moved" PYTHONDONTWRITEBYTECODE=1
/usr/bin/python3 -c '
import sys, torch, tyto
assert tyto.__file__.startswith(sys.argv[1]), tyto.__file__
features = torch.eye(8, 16).requires_grad_()
loss = tyto.losses.circle_loss(features, torch.arange(8) // 2)
loss.backward()
assert loss > 0 and features.grad.abs().sum() > 0, (loss, features.grad)
' "$work/moved"
[ "$(/usr/bin/python3 -m tyto info)" = "$("$build/apps/tyto" info)" ]
