#include "engine/networks/heads/class_names.h"

namespace tyto {

std::vector<std::string> usual_class_names(const std::string& network, int64_t classes) {
  static const std::vector<std::string> voc = {
      "background", "aeroplane", "bicycle",     "bird",  "boat",        "bottle", "bus",
      "car",        "cat",       "chair",       "cow",   "diningtable", "dog",    "horse",
      "motorbike",  "person",    "pottedplant", "sheep", "sofa",        "train",  "tvmonitor"};
  static const std::vector<std::string> coco = {
      "background", "person",        "bicycle",       "car",          "motorcycle",     "airplane",
      "bus",        "train",         "truck",         "boat",         "traffic light",  "fire hydrant",
      "N/A",        "stop sign",     "parking meter", "bench",        "bird",           "cat",
      "dog",        "horse",         "sheep",         "cow",          "elephant",       "bear",
      "zebra",      "giraffe",       "N/A",           "backpack",     "umbrella",       "N/A",
      "N/A",        "handbag",       "tie",           "suitcase",     "frisbee",        "skis",
      "snowboard",  "sports ball",   "kite",          "baseball bat", "baseball glove", "skateboard",
      "surfboard",  "tennis racket", "bottle",        "N/A",          "wine glass",     "cup",
      "fork",       "knife",         "spoon",         "bowl",         "banana",         "apple",
      "sandwich",   "orange",        "broccoli",      "carrot",       "hot dog",        "pizza",
      "donut",      "cake",          "chair",         "couch",        "potted plant",   "bed",
      "N/A",        "dining table",  "N/A",           "N/A",          "toilet",         "N/A",
      "tv",         "laptop",        "mouse",         "remote",       "keyboard",       "cell phone",
      "microwave",  "oven",          "toaster",       "sink",         "refrigerator",   "N/A",
      "book",       "clock",         "vase",          "scissors",     "teddy bear",     "hair drier",
      "toothbrush"};
  if (network == "ssd300" || network == "simple_faster_rcnn")
    return classes == static_cast<int64_t>(voc.size()) ? voc : std::vector<std::string>();
  return classes == static_cast<int64_t>(coco.size()) ? coco : std::vector<std::string>();
}

}  // namespace tyto
