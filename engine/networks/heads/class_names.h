// The class names of the data sets that published detectors are trained on.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tyto {

// What a network of so many classes, the background included, was most likely trained on, background first:
// PASCAL VOC for an ssd.pytorch network of 21, COCO by category id ("N/A" for the ids that COCO left out) for
// one of 91 from torchvision or TensorFlow. Empty: nothing usual.
std::vector<std::string> usual_class_names(const std::string& network, int64_t classes);

}  // namespace tyto
