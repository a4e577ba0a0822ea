// A CUDA stream, named so that contracts compile without the toolkit.
#pragma once

struct CUstream_st;

namespace tyto::kernels {

using Stream = CUstream_st*;  // cudaStream_t

}  // namespace tyto::kernels
