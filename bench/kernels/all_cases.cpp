#include "bench/kernels/kernel_case.h"

namespace tyto::bench {

Cases all_cases() {
  Cases cases;
  add_detection_cases(cases);
  add_nms_cases(cases);
  add_two_stage_cases(cases);
  add_roi_cases(cases);
  add_image_cases(cases);
  add_layout_cases(cases);
  add_norm_cases(cases);
  add_pooling_cases(cases);
  add_projection_cases(cases);
  add_retrieval_cases(cases);
  add_attention_cases(cases);
  add_losses_cases(cases);
  add_multibox_cases(cases);
  add_bev_index_cases(cases);
  add_bev_pool_cases(cases);
  add_bev_backward_cases(cases);
  return cases;
}

}  // namespace tyto::bench
