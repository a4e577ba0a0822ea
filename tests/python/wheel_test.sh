#!/bin/sh
# Installs a repaired wheel and uses it where Debian has no library but those that every system has by manylinux, and no
# Python package; then beside Debian's PyTorch. Usage: wheel_test.sh WHEEL WORK
set -eu
wheel=$(realpath "$1") work=$2
rm -rf "$work"
mkdir -p "$work/photos" "$work/system"
cd "$work"
work=$PWD
unset LD_LIBRARY_PATH PYTHONPATH
/usr/bin/python3 -c 'import torch, torchvision; torch.save(torchvision.models.mobilenet_v2().state_dict(), "network.pth")'
printf 'P6 32 64 255\n' >photos/a.ppm
head -c 6144 /dev/zero | tr '\0' '\145' >>photos/a.ppm

# PEP 600's list, with what the libraries on it load, the loader and Python's own.
everywhere="libatomic.so.1 libgcc_s.so.1 libstdc++.so.6 libm.so.6 libmvec.so.1 libanl.so.1 libdl.so.2 librt.so.1 libc.so.6 libnsl.so.1
  libutil.so.1 libpthread.so.0 libX11.so.6 libXext.so.6 libXrender.so.1 libICE.so.6 libSM.so.6 libGL.so.1 libgobject-2.0.so.0
  libgthread-2.0.so.0 libglib-2.0.so.0 libresolv.so.2 libexpat.so.1 libz.so.1"
libraries=/usr/lib/x86_64-linux-gnu
for name in $everywhere; do
  [ ! -e "$libraries/$name" ] || { echo "$libraries/$name"; ldd "$libraries/$name" | sed -n 's/.*=> \(\/[^ ]*\).*/\1/p'; }
done | sort -u >everywhere.txt
xargs -I{} cp -Lf {} system/ <everywhere.txt
cp -L "$libraries/ld-linux-x86-64.so.2" system/

/usr/bin/python3 -m venv bare
bare/bin/pip install --quiet --disable-pip-version-check "$wheel" numpy
cat >use.sh <<'END'
set -eu
# Everything that Python and the command load is the wheel's, NumPy's or on the list.
bare/bin/tyto --version
bare/bin/python -m tyto convert network.pth -o network.safetensors -q
bare/bin/tyto extract network.safetensors --gallery photos -o features.safetensors -q
bare/bin/python - <<'PYTHON'
import tyto
features = tyto.FeatureExtractor("network.safetensors").extract(["photos/a.ppm"])
assert features.shape[0] == 1, features.shape
for library in "losses", "bev", "operators":
    from tyto._library import Library
    Library(library)
outside = {line.split()[-1] for line in open("/proc/self/maps") if ".so" in line and "/bare/" not in line}
print("loaded from the system:", *sorted(path.split("/")[-1] for path in outside if "lib-dynload" not in path))
PYTHON
END
# Links that the loader follows are into the folder that is covered.
unshare --map-root-user --mount sh -c "mount --bind system $libraries && sh use.sh"
echo "The wheel needs no library of Debian's."

/usr/bin/python3 -m venv --system-site-packages beside
beside/bin/pip install --quiet --disable-pip-version-check --no-deps "$wheel"
beside/bin/python - <<'PYTHON'
import torch, tyto
features = torch.eye(8, 16).requires_grad_()
loss = tyto.losses.circle_loss(features, torch.arange(8) // 2)
loss.backward()
assert loss > 0 and features.grad.abs().sum() > 0
PYTHON
