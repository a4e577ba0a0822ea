// The door to engine/, for those who work inside it; users of the library enter through tyto/tyto.h.
//
// A network's life: networks/ builds a Graph by asking Weights for its tensors; passes rewrite the graph; a
// Backend lowers it to an Executable, which a Plan runs. Pipelines put preprocessing before it and the
// meaning of the outputs behind it.
//
//   tensor_source.h, safetensors.h, model_file.h, file.h   bytes in and out
//   graph/       operators, shape rules, the Graph, and passes that only rewrite
//   networks/    one file a network family, the only list of its weights
//   cpu/         lowering to oneDNN and to our kernels, layouts
//   cuda/        lowering to cuDNN, cuBLASLt and our kernels; streams, captured graphs; libraries/ binds the two
//   backend.h    what a device must offer
//   placement.h  where values lie in one arena
//   reference/   the naive meaning of every operator
//   pipelines/   feature extraction, retrieval
#pragma once

#include "engine/backend.h"
#include "engine/graph/passes.h"
#include "engine/model_file.h"
#include "engine/networks/network.h"
#include "engine/pipelines/retrieval.h"
#include "engine/preprocessing.h"
#include "engine/reference/reference.h"
#include "engine/self_test.h"
#include "tyto/tyto.h"
