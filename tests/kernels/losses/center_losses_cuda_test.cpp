#include <gtest/gtest.h>

#include <cstdlib>

#include "kernels/cuda/device_array.h"
#include "kernels/cuda/profile_batch.h"
#include "kernels/losses/center_losses_checks.h"

namespace tyto::kernels {
namespace {

template <class T>
std::vector<T> as_elements(const std::vector<double>& values) {
  std::vector<T> all;
  for (double v : values)
    if constexpr (std::is_same_v<T, double>)
      all.push_back(v);
    else
      all.push_back(static_cast<T>(static_cast<float>(v)));
  return all;
}

template <class T>
std::vector<double> as_doubles(const std::vector<T>& values) {
  std::vector<double> all;
  for (const T& v : values)
    if constexpr (std::is_same_v<T, double>)
      all.push_back(v);
    else
      all.push_back(to_float(v));
  return all;
}

template <class T>
struct DeviceRun {
  using C = Computed<T>;
  CenterBatch batch;
  double scale;
  bool with_gradients;

  explicit DeviceRun(const CenterBatch& b, double scale_ = 1, bool with = true)
      : batch(b), scale(scale_), with_gradients(with) {}

  CenterBatch rounded() const {
    CenterBatch b = batch;
    b.features = as_doubles(as_elements<T>(b.features));
    b.centers = as_doubles(as_elements<T>(b.centers));
    return b;
  }
  std::vector<double> run_centers() const { return rounded().centers; }

  // call(inputs, modalities, learned centres, outputs, workspace)
  template <class Call>
  CenterResult call(int64_t bytes, bool learned, const Call& call) const {
    const DeviceArray<T> features(as_elements<T>(batch.features)), centers(as_elements<T>(batch.centers));
    const DeviceArray<int32_t> labels(batch.labels), modalities(batch.modalities);
    DeviceArray<T> gradient(features.size()), centers_gradient(centers.size());
    DeviceArray<unsigned char> workspace(bytes);
    DeviceArray<C> value(1);
    DeviceArray<LossStatus> status(std::vector<LossStatus>{0});
    call(LabelledRows<T>{features.data(), labels.data(), batch.rows, batch.width}, modalities.data(),
         LearnedCenters<T>{centers.data(), batch.classes, with_gradients ? centers_gradient.data() : nullptr},
         LossOutput<T>{value.data(), with_gradients ? gradient.data() : nullptr, scale, status.data()},
         workspace.data());
    CenterResult r{.value = value.download()[0], .status = describe(status.download()[0])};
    if (with_gradients) r.gradient = as_doubles(gradient.download());
    if (with_gradients && learned) r.centers_gradient = as_doubles(centers_gradient.download());
    return r;
  }

  CenterResult cmdc(const CmdcLoss& p) const {
    return call(cmdc_loss_workspace<T>(batch.rows, batch.width), p.centers == CmdcCenters::Learned,
                [&](const auto& in, const int32_t* modalities, const auto& learned, const auto& out,
                    void* workspace) {
                  cmdc_loss<T>(in, p.centers == CmdcCenters::Modality ? modalities : nullptr, learned, p, out,
                               workspace, nullptr);
                });
  }
  CenterResult center(const CenterLoss& p) const {
    return call(center_loss_workspace<T>(batch.rows, batch.width), true,
                [&](const auto& in, const int32_t*, const auto& learned, const auto& out, void* workspace) {
                  center_loss<T>(in, learned, p, out, workspace, nullptr);
                });
  }
  CenterResult hetero(const HeteroCenterLoss& p) const {
    return call(hetero_center_loss_workspace<T>(batch.rows, batch.width), false,
                [&](const auto& in, const int32_t* modalities, const auto&, const auto& out,
                    void* workspace) { hetero_center_loss<T>(in, modalities, p, out, workspace, nullptr); });
  }
  CenterResult triplet(const HeteroCenterTripletLoss& p) const {
    return call(
        hetero_center_triplet_loss_workspace<T>(batch.rows, batch.width), false,
        [&](const auto& in, const int32_t* modalities, const auto&, const auto& out, void* workspace) {
          hetero_center_triplet_loss<T>(in, modalities, p, out, workspace, nullptr);
        });
  }
  std::vector<double> update(const UpdateCenters& p) const {
    DeviceArray<T> centers(as_elements<T>(batch.centers));
    DeviceRun without(batch, scale, false);
    without.call(center_loss_workspace<T>(batch.rows, batch.width), false,
                 [&](const auto& in, const int32_t*, const auto&, const auto& out, void* workspace) {
                   update_centers<T>(in, p, batch.classes, centers.data(), out.status, workspace, nullptr);
                 });
    return as_doubles(centers.download());
  }
};

TEST(CmdcLoss, HasTheGoldenNumbers) { check_cmdc_golden<DeviceRun>(); }
TEST(HeteroCenterLosses, HaveTheGoldenNumbers) { check_hetero_golden<DeviceRun>(); }
TEST(CenterLosses, TakeRowsInAnyOrder) { check_order_of_rows<DeviceRun>(); }
// More rows than a block has threads.
TEST(CmdcLoss, IsItsDefinition) { check_cmdc_value<DeviceRun>(random_batch(259, 3, 9)); }
TEST(CenterLosses, HaveTheirDifferencesForGradients) {
  check_all_gradients<DeviceRun>(random_batch(9, 3, 4), 4);
}
TEST(CenterLosses, OfUglyBatches) { check_edges<DeviceRun>(); }
TEST(CmdcLoss, MinesTheFirstOfEqualRows) { check_ties<DeviceRun>(); }
TEST(HeteroCenterLosses, SkipAClassOfOneModality) { check_hetero_distances<DeviceRun>(); }
TEST(CenterLoss, AndTheRuleThatMovesCenters) { check_center_loss<DeviceRun>(); }
TEST(CenterLosses, SayWhatIsWrong) { check_faults<DeviceRun>(); }
// Rows longer than a block has threads.
TEST(CenterLosses, OfFloatsAndHalvesAreDoublesRounded) {
  const CenterBatch batch = random_batch(9, 260, 4);
  check_precision<float, DeviceRun>(batch, std::numeric_limits<float>::epsilon() / 2);
  check_precision<__half, DeviceRun>(batch, 0x1p-11);
  check_precision<__nv_bfloat16, DeviceRun>(batch, 0x1p-8);
}

// Under one schedule: it is long.
TEST(CmdcLoss, TakesABatchOf4096Rows) {
  const char* schedule = std::getenv("TYTO_SCHEDULE");
  if (schedule == nullptr || std::string(schedule) != "forward") GTEST_SKIP();
  const CenterBatch batch = random_batch(4096, 8, 40);
  EXPECT_NEAR(DeviceRun<double>(batch, 1, false).cmdc({}).value, cmdc_by_definition(batch, {}), 1e-12);
}

// As a sampler makes it: visible rows first, four of each identity and modality.
TEST(Profile, CenterLosses) {
  CenterBatch batch = random_batch(64 * profile_batch(), 256, 8);
  for (int64_t i = 0; i < batch.rows; ++i) {
    const int64_t half = batch.rows / 2;
    batch.labels[i] = static_cast<int32_t>(i % half / 4);
    batch.modalities[i] = i >= half;
  }
  const DeviceRun<float> run(batch);
  for (const CmdcLoss& p : cmdc_variants()) run.cmdc(p);
  run.hetero({});
  run.triplet({});
  run.center({});
  run.update({});
}

}  // namespace
}  // namespace tyto::kernels
