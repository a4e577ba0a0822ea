#include "kernels/losses/loss_status.h"

namespace tyto::kernels {
namespace {

const char* name(LossInput input) {
  switch (input) {
    case LossInput::Features:
      return "features";
    case LossInput::Logits:
      return "logits";
    case LossInput::Labels:
      return "labels";
    case LossInput::Modalities:
      return "modalities";
    case LossInput::Weights:
      return "weights";
    case LossInput::Centers:
      return "centers";
    case LossInput::Locations:
      return "locations";
    case LossInput::TeacherLogits:
      return "the teacher's logits";
    case LossInput::TeacherLocations:
      return "the teacher's locations";
    case LossInput::Boxes:
      return "boxes";
    case LossInput::Rois:
      return "regions of interest";
  }
  return "an input";
}

const char* what(LossFault fault) {
  switch (fault) {
    case LossFault::None:
      break;
    case LossFault::Box:
      return " is a box without width or height";
    case LossFault::Label:
      return " is out of range";
    case LossFault::NotFinite:
      return " holds a value that is not finite";
  }
  return " is unsound";
}

}  // namespace

std::string describe(LossStatus status) {
  if (status == 0) return {};
  return std::string(name(input_of(status))) + ": row " + std::to_string(row_of(status)) +
         what(fault_of(status));
}

}  // namespace tyto::kernels
