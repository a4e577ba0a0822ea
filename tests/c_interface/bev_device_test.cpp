#include <tyto_bev.h>

#include "c_interface/device_call.h"

namespace tyto {
namespace {

TEST(CBevOnDevice, RefusesMoreBinsThanTheGradientTakes) {
  for (Sample& sample : samples(TYTO_FLOAT)) {
    if (sample.name != "tyto_bev_pool_backward") continue;
    auto& desc = *static_cast<tyto_bev_pool_backward_desc*>(sample.desc.get());
    desc.bins = desc.depth_stride = 1001;
    desc.device = TYTO_ON_CUDA;
    char error[256];
    size_t bytes = 0;
    EXPECT_EQ(sample.workspace(&desc, &bytes, error, sizeof error), TYTO_BEV_BAD_ARGUMENT);
    EXPECT_STREQ(error, "tyto_bev_pool_backward_workspace: bins is 1001; it must be at most 1000");
  }
}

}  // namespace
}  // namespace tyto
