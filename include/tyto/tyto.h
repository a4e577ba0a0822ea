// tyto's API: perception networks from PyTorch checkpoints, in plain C++. Start here.
//
// clang-format off
//   Model             a trained network in a model file (`tyto convert` makes one); immutable, shared by threads
//   Context           the device, its libraries, threads and memory limit; serves one thread at a time
//   Plan              a network compiled for one device, precision and input shape: raw tensors in and out
//   FeatureExtractor  images in, unit-length feature vectors out
//   Detector          images in, labelled boxes out
//   BevSegmenter      images of a calibrated rig in, a map of the ground around it out
//   Tensor, Image     host memory
//   Error             the one exception type; what() is a sentence for people
// clang-format on
#pragma once

#include "tyto/bev_segmenter.h"
#include "tyto/context.h"
#include "tyto/detector.h"
#include "tyto/error.h"
#include "tyto/feature_extractor.h"
#include "tyto/image.h"
#include "tyto/image_pipeline.h"
#include "tyto/model.h"
#include "tyto/plan.h"
#include "tyto/tensor.h"
#include "tyto/version.h"
