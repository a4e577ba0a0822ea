#include <tyto_operators.h>

#include "c_interface/device_call.h"

namespace tyto {
namespace {

TEST(COperatorsOnDevice, RefuseDeeperHeadsThanTheyHold) {
  for (Sample& sample : samples(TYTO_FLOAT)) {
    if (sample.name.find("attention") == std::string::npos) continue;
    for (auto& [name, size] : sample.sizes) {
      if (name == "depth") *size = 257;
      if (name == "q_stride" || name == "k_stride") *size = 0;
    }
    const Answer answer = call_on_device(sample);
    EXPECT_EQ(answer.code, TYTO_OPERATORS_BAD_ARGUMENT);
    EXPECT_EQ(answer.text, sample.name + "_workspace: depth is 257; it must be at most 256");
  }
}

// Where the maps are turned, argmax has the kernels' order, in which the gradient reads it.
TEST(COperatorsOnDevice, PoolChannelsFirstAndTakeTheGradientBackAsTheCpuDoes) {
  constexpr int64_t kImages = 2, kChannels = 5, kHeight = 6, kWidth = 7, kRegions = 3, kBins = 6;
  constexpr int64_t kMaps = kImages * kChannels * kHeight * kWidth, kFeatures = kRegions * kChannels * kBins;
  std::vector<float> maps, gradient;
  for (int i = 0; i < kMaps; ++i) maps.push_back(static_cast<float>(i * 37 % 101));
  for (int i = 0; i < kFeatures; ++i) gradient.push_back(static_cast<float>(i % 11 - 5));
  const std::vector<float> rois = {1, 0, 0, 6, 5, 0, 2, 1, 4, 4, 1, 3, 3, 6, 3};
  const auto call = [&](int32_t device, auto place) {
    char error[256];
    size_t bytes = 0;
    std::vector<std::shared_ptr<Memory>> kept;
    const auto on_device = [&](const void* from, size_t size) -> void* {
      std::vector<unsigned char> host(size);
      if (from) std::memcpy(host.data(), from, size);
      kept.push_back(std::make_shared<Memory>(host));
      return device == TYTO_ON_CUDA ? kept.back()->data() : place(host);
    };
    void* const at_rois = on_device(rois.data(), rois.size() * 4);
    void* const argmax = on_device(nullptr, kFeatures * 4);
    const auto common = [&](auto& d) {
      d.elements = TYTO_FLOAT, d.device = device, d.layout = TYTO_OPERATORS_CHANNELS_FIRST;
      d.images = kImages, d.channels = kChannels, d.height = kHeight, d.width = kWidth;
      d.regions = kRegions, d.rows = 2, d.columns = 3;
      d.rois = static_cast<const float*>(at_rois), d.argmax = static_cast<int32_t*>(argmax);
    };
    tyto_roi_pool_desc pool;
    tyto_roi_pool_defaults(&pool, sizeof pool);
    common(pool);
    pool.maps = on_device(maps.data(), kMaps * 4);
    pool.features = on_device(nullptr, kFeatures * 4);
    EXPECT_EQ(tyto_roi_pool_workspace(&pool, &bytes, error, sizeof error), 0) << error;
    EXPECT_EQ(tyto_roi_pool(&pool, on_device(nullptr, bytes), bytes, nullptr, error, sizeof error), 0)
        << error;
    tyto_roi_pool_backward_desc back;
    tyto_roi_pool_backward_defaults(&back, sizeof back);
    common(back);
    back.features_gradient = on_device(gradient.data(), kFeatures * 4);
    back.maps_gradient = on_device(nullptr, kMaps * 4);
    EXPECT_EQ(tyto_roi_pool_backward_workspace(&back, &bytes, error, sizeof error), 0) << error;
    EXPECT_EQ(tyto_roi_pool_backward(&back, on_device(nullptr, bytes), bytes, nullptr, error, sizeof error),
              0)
        << error;
    std::vector<float> result(kMaps);
    if (device == TYTO_ON_CUDA)
      EXPECT_EQ(cudaMemcpy(result.data(), back.maps_gradient, kMaps * 4, cudaMemcpyDeviceToHost),
                cudaSuccess);
    else
      std::memcpy(result.data(), back.maps_gradient, kMaps * 4);
    return result;
  };
  std::vector<std::vector<unsigned char>> host;
  const auto place = [&](std::vector<unsigned char>& bytes) -> void* {
    host.push_back(std::move(bytes));
    return host.back().data();
  };
  const std::vector<float> want = call(TYTO_ON_CPU, place);
  EXPECT_NE(want, std::vector<float>(kMaps));
  EXPECT_EQ(call(TYTO_ON_CUDA, place), want);
  for (const std::string& fault : emulation::take_faults()) ADD_FAILURE() << fault;
}

}  // namespace
}  // namespace tyto
