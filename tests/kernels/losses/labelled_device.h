// labelled_case.h's losses on the device under test.
#pragma once

#include "kernels/cuda/device_array.h"
#include "kernels/losses/labelled_case.h"

namespace tyto::kernels {

// call(in, out, workspace) launches the loss, workspace(rows, width) is its query.
template <class T, class Call, class Bytes>
LossResult run_on_device(const LabelledBatch& batch, const Call& call, const Bytes& workspace) {
  using C = Computed<T>;
  const int64_t n = batch.rows();
  std::vector<T> values(batch.features.size());
  for (size_t i = 0; i < values.size(); ++i)
    set_host_element(values.data(), static_cast<int64_t>(i), static_cast<C>(batch.features[i]));
  const DeviceArray<T> features(values);
  const DeviceArray<int32_t> labels(batch.labels);
  DeviceArray<T> gradient(features.size());
  DeviceArray<C> value(std::vector<C>{-1, -1});
  DeviceArray<LossStatus> status(std::vector<LossStatus>{0});
  DeviceArray<char> lent(workspace(n, batch.width()));
  const LabelledRows<T> in{features.data(), labels.data(), n, batch.width()};
  call(in, LossOutput<T>{value.data(), gradient.data(), batch.scale, status.data()}, lent.data());
  call(in, LossOutput<T>{.value = value.data() + 1}, lent.data());
  const std::vector<C> values_got = value.download();
  EXPECT_TRUE(values_got[0] == values_got[1] || std::isnan(values_got[0])) << "without a gradient";
  LossResult result{.value = values_got[0], .status = status.download()[0]};
  const std::vector<T> gradients = gradient.download();
  for (size_t i = 0; i < gradients.size(); ++i)
    result.gradient.push_back(host_element(gradients.data(), static_cast<int64_t>(i)));
  return result;
}

}  // namespace tyto::kernels
