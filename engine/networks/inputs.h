// What networks take: how they declare it, and how a graph gets it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/graph/graph.h"
#include "engine/images/preprocessing_rule.h"
#include "tyto/model.h"

namespace tyto {

using Inputs = std::map<std::string, Value>;  // values that stand for a network's inputs, by name

// An input of images, `views` of them a sample; that of networks of one image is called "input".
InputInfo image_input(const Preprocessing& rule, const std::string& name = "input", int views = 1);
// An input of numbers.
InputInfo tensor_input(const std::string& name, DType type, const Shape& sample, bool counted = false);

// Numbers that are the same from run to run more often than not, F32: calibrations.
InputInfo steady_input(const std::string& name, const Shape& sample);

// The sizes of the images of `image`, which pipelines fill in: F32 [N, 4], see kernels/detection/boxes.h.
InputInfo sizes_input(const std::string& image, const std::string& name = "sizes");

// For such an input: images that fill the network's input, of originals as large.
Tensor sizes_of_whole_images(int64_t samples, int64_t height, int64_t width);

InputShapes input_shapes(const std::vector<InputInfo>& inputs, int64_t batch);  // see Model::input_shapes

// Whether the shapes are those of these inputs and counts for one number of samples; images may have any
// size. Error{Usage} names an input that is missing or not there, Error{Shape} one that does not fit.
void check_input_shapes(const std::vector<InputInfo>& inputs, const InputShapes& shapes);

// A graph's inputs, after that check.
Inputs declare_inputs(Graph& graph, const std::vector<InputInfo>& inputs, const InputShapes& shapes);

}  // namespace tyto
