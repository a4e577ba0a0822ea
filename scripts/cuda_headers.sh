# The CUDA headers that the emulated tests are compiled against; sourced by the other scripts. Where there is no toolkit they
# come from PyPI, which costs 3 MB.

fetch_cuda_headers() {
  command -v nvcc >/dev/null || [ -x /usr/local/cuda/bin/nvcc ] && return 0
  [ -e build/cuda-headers/nvidia/cu13/include/cuda_runtime_api.h ] && return 0
  echo "Fetching the CUDA headers ..."
  python3 -m pip download --quiet --no-deps --disable-pip-version-check -d build/cuda-headers \
    nvidia-cuda-runtime==13.0.96 nvidia-cuda-crt==13.0.88
  for wheel in build/cuda-headers/*.whl; do
    python3 -m zipfile -e "$wheel" build/cuda-headers
    rm "$wheel"
  done
}
