// The door to engine/, for those who work inside it; users of the library enter through tyto/tyto.h.
//
// A network's life: networks/ builds a Graph by asking Weights for its tensors; passes rewrite the graph; a
// Backend lowers it to an Executable, which a Plan runs. Pipelines put preprocessing before it and the
// meaning of the outputs behind it.
//
// clang-format off
//   graph/       typed values, operators, shape rules, the Graph, passes that only rewrite, and which nodes are the prologue
//   networks/    one file a network family, the only list of its weights; trunks/ and heads/ that they share
//   reference/   the naive meaning of every operator
//   runtime/     what a device must offer, contexts, plans and a cache of them by size, admission, arenas, several GPUs,
//                steady inputs, of which the prologue's results are kept until they change
//   cpu/         lowering to oneDNN and to our kernels, layouts
//   cuda/        lowering to cuDNN, cuBLASLt and our kernels; streams, captured graphs; cudnn/ and cublas/ bind the two
//   images/      preprocessing rules and what carries them out
//   model/       the model file, and its network as a graph
//   pipelines/   images in, results out: detections, features, rankings
//   metrics/     Rank@k, mAP and mINP of rankings, COCO's and VOC's mAP
//   self_test/   every operator against the reference, a model against the CPU
// clang-format on
#pragma once

#include "engine/graph/passes.h"
#include "engine/images/preprocessing.h"
#include "engine/metrics/coco_metrics.h"
#include "engine/metrics/reid/evaluation.h"
#include "engine/metrics/voc_metrics.h"
#include "engine/model/model_file.h"
#include "engine/networks/network.h"
#include "engine/pipelines/retrieval.h"
#include "engine/reference/reference.h"
#include "engine/runtime/backend.h"
#include "engine/self_test/self_test.h"
#include "tyto/tyto.h"
